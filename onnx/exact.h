#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "subnormals.h"
#include "translator.h"

namespace qfw::onnx {

/// The form whose bits are those of qfw's evaluation: products of codes are ConvInteger and MatMulInteger of u8 by u8, which
/// every runtime computes alike; each op on floats is one node, which IEEE 754 leaves no choice; sums are running sums in
/// double, whose order ONNX lays down. What is stored for a code is the code and a zero point.
class Exact final : public Translator {
 public:
  /// Throws Error::Category::usage for a model with a layer that is computed with floats.
  Exact(const FrozenModel& model, const WriteOptions& options, File& file);

 private:
  void cast(int number) override;
  void product(int number) override;
  void sum(int number) override;
  bool takes_any_function() const override { return false; }
  void finish(int number, Value value) override;
  std::string name_for(int number) const override;
  bool has_a_name_of_its_own(int number) const override;

  bool rounds(int number) const;  ///< to bf16 or f16, after the op
  std::string last_name_for(int number) const;
  std::string flushed(int number, const std::string& x);
  struct Weights {
    std::string name;
    int zero = 0;
  };
  Weights weights(int number);

  Subnormals subnormals_;
  std::map<int, std::vector<std::string>> site_names_;  ///< by node: what readers call it
};

}  // namespace qfw::onnx
