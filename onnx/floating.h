#pragma once

#include "translator.h"

namespace qfw::onnx {

/// The form in floats alone: codes are whole numbers in f32, and so are products of them. Also what the qdq form makes of what
/// is not quantized.
class Floating : public Translator {
 public:
  using Translator::Translator;

 protected:
  void cast(int number) override;
  void product(int number) override;
  void sum(int number) override;
};

}  // namespace qfw::onnx
