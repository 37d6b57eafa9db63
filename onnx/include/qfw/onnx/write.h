#pragma once

#include <cstdint>
#include <string>

#include "qfw/exporter.h"

namespace qfw::onnx {

/// How a network is said in ONNX.
enum class Form : std::uint8_t {
  exact,     ///< one node or a fixed few for each op of qfw, products of integers: the bits of qfw's evaluation
  qdq,       ///< QuantizeLinear and DequantizeLinear around float products: what accelerators compile; close
  floating,  ///< floats alone, what quantizers do to them included; close
};

struct WriteOptions {
  Form form = Form::exact;
  int opset = 21;          ///< 13, 21 or 25
  bool packed = true;      ///< weight codes of few levels in UINT4 (opset 21 on) or UINT2 (opset 25), else in whole bytes
  bool pixels = false;     ///< input `pixels`, u8 [N, H, W, C], in place of `images`, f32 of prepared ones
  bool nhwc = false;       ///< layout of `images`: [N, H, W, C] in place of [N, C, H, W]
  std::int64_t batch = 0;  ///< extent of axis 0; 0: symbolic, any number of images
  bool int8_only = false;  ///< qdq: every code an INT8 with zero point 0
};

/// What write() would promise. Throws Error::Category::usage, naming the layer, for a model that has no such form.
Exporter::Promise promise(const FrozenModel& model, const WriteOptions& options);

/// The bytes of a ModelProto. Its output is `logits`; of the exact form each site has the values PATH/sums and PATH/product.
/// Metadata say what FrozenModel says beside its graph (qfw.*), and the notes, under "qfw." and their names. Equal arguments
/// give equal bytes. Throws as promise() does.
std::string write(const FrozenModel& model, const Exporter::Notes& notes, const WriteOptions& options);

}  // namespace qfw::onnx
