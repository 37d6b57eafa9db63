#include "qfw/plugin.h"

#include "backend.h"

QFW_PLUGIN("backend:onnxruntime", .name = "onnxruntime", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "evaluations as ONNX Runtime computes them: what `qfw export --verify` compares with")
(qfw::Registry& registry) {
  registry.add<qfw::onnxruntime::OnnxRuntimeBackend>(
      "onnxruntime", "evaluation only: the network as ONNX in ONNX Runtime, the rest by reference kernels");
}
