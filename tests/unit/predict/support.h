#pragma once

#include <string>
#include <vector>

#include "predict/batches.h"
#include "qfw/onnx/read.h"
#include "qfw/onnx/write.h"
#include "support/evaluate.h"
#include "support/small_network.h"

namespace qfw::test {

/// What a backend's plugin makes of images, all at once.
inline std::vector<float> logits_of(const FrozenModel& model, const std::vector<float>& images,
                                    const char* backend = "reference") {
  const std::int64_t count = static_cast<std::int64_t>(images.size()) / model.image().count();
  const Graph graph = predict::for_images(model.graph, count);
  const auto single = testing::make<Communicator>("single");
  const auto made = testing::make<Backend>(backend);
  const HostView feed(graph.inputs[0].type, std::as_bytes(std::span(images)));
  const auto bytes = execute(*made->compile(graph, *single), graph, {&feed, 1}).at(0);
  std::vector<float> logits(bytes.size() / sizeof(float));
  std::memcpy(logits.data(), bytes.data(), bytes.size());
  return logits;
}

inline std::span<const std::byte> bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

inline std::string written(const FrozenModel& model, const onnx::WriteOptions& options = {}) {
  return onnx::write(model, {{"guarantee", "equal: a test"}}, options);
}

}  // namespace qfw::test
