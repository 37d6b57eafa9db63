#pragma once

#include <memory>
#include <span>
#include <string>

#include "qfw/backend.h"
#include "qfw/graph.h"

namespace qfw::cpu {

/// One piece of work of a compiled step: dense row-major tensors in, dense row-major tensors out, aligned to their elements.
/// Calls on the kernels of one context must not overlap; none allocates.
class Kernel {
 public:
  Kernel() = default;
  Kernel(const Kernel&) = delete;
  Kernel& operator=(const Kernel&) = delete;
  virtual ~Kernel() = default;

  virtual const char* kind() const = 0;                      ///< under which profiles count it; a literal
  virtual std::string implementation() const { return {}; }  ///< for people: which of several ways it works
  /// Whether that output may lie where that input lies.
  virtual bool in_place(int /*input*/, int /*output*/) const { return false; }
  virtual void run(Executable::Step step, std::span<const void* const> inputs, std::span<void* const> outputs) = 0;
};

/// To write a tensor of `bytes` somewhere else: fetches, and next values of variables that could not be written in place.
std::unique_ptr<Kernel> make_copy(const char* kind, std::size_t bytes, int threads);

std::unique_ptr<Kernel> make_transpose(const Graph& graph, const Node& node, int threads);
std::unique_ptr<Kernel> make_broadcast(const Graph& graph, const Node& node, int threads);
std::unique_ptr<Kernel> make_random_uniform(const Node& node, int threads);

/// The core's reference kernel of the op: for what is rare.
std::unique_ptr<Kernel> make_reference(const Graph& graph, const Node& node);

}  // namespace qfw::cpu
