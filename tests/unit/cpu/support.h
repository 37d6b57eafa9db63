#pragma once

#include <cstring>
#include <functional>
#include <vector>

#include "backend.h"
#include "executable.h"
#include "passes/finish.h"
#include "qfw/builder.h"
#include "qfw/error.h"
#include "support/execute.h"
#include "support/replicas.h"

namespace qfw::cpu {

using test::EqualReplicas;

inline HostView view(const TensorType& type, const std::vector<float>& data) { return {type, std::as_bytes(std::span(data))}; }
inline HostTensor tensor(const TensorType& type, std::vector<float>& data) {
  return {type, std::as_writable_bytes(std::span(data))};
}

inline std::vector<float> read(const Backend& backend, const char* name, const Shape& shape) {
  std::vector<float> data(static_cast<std::size_t>(shape.count()), -99);
  backend.read(name, tensor({shape}, data));
  return data;
}
inline void write(Backend& backend, const char* name, const Shape& shape, const std::vector<float>& data) {
  backend.write(name, view({shape}, data));
}

/// Runs a graph of f32 inputs and fetches.
inline std::vector<std::vector<float>> run(Executable& executable, const Graph& graph,
                                           const std::vector<std::vector<float>>& feeds, Executable::Step step = {}) {
  std::vector<HostView> views;
  for (std::size_t i = 0; i < feeds.size(); ++i) views.push_back(view(graph.inputs[i].type, feeds[i]));
  std::vector<std::vector<float>> results;
  const auto fetched = test::execute(executable, graph, views, step);
  for (std::size_t i = 0; i < fetched.size(); ++i) {
    const auto values = HostView(graph.type(graph.fetches[i].use), fetched[i]).as<float>();
    results.emplace_back(values.begin(), values.end());
  }
  return results;
}

inline std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

}  // namespace qfw::cpu
