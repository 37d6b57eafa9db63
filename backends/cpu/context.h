#pragma once

#include <memory>
#include <oneapi/dnnl/dnnl.hpp>
#include <vector>

#include "fused/body.h"
#include "pages.h"
#include "qfw/lowering/variables.h"
#include "scratch.h"

namespace qfw::cpu {

const lowering::Target& target();

/// What the executables and kernels of one backend share; it outlives them. Not thread-safe: their calls do not overlap.
struct Context {
  int threads = 1;
  /// For tests and benchmarks, which compare both sides on any machine. `library` may be inexact for integers (16-bit sums
  /// saturate) where the processor has no u8 x s8 instruction; `automatic` never is.
  enum class Implementation { automatic, library, own } implementation = Implementation::automatic;
  bool winograd = false;                            ///< f32 convolutions that can (matmul/winograd.h)
  const BodyKind* body = &body_kinds().front();     ///< of fused passes; the interpreter takes what it cannot
  dnnl::engine engine{dnnl::engine::kind::cpu, 0};  ///< primitives are compiled once per key by oneDNN's own cache
  dnnl::stream stream{engine};
  Scratch scratch{};
  Scratch slice{};                                     ///< what kernels made of kernels keep while these use `scratch`
  std::vector<std::unique_ptr<Context>> of_threads{};  ///< each for kernels of one thread that run beside each other
  std::vector<Pages> slabs{};
  lowering::Variables variables{target(), [this](std::size_t bytes) { return slabs.emplace_back(bytes).data(); }};
  Pages arena{};  ///< moves when a larger program is compiled

  /// The context of a thread's own kernels.
  Context& of_thread(int thread) {
    while (static_cast<int>(of_threads.size()) <= thread) {
      auto own = std::make_unique<Context>();
      own->threads = 1;
      own->implementation = implementation;
      own->winograd = winograd;
      own->body = body;
      of_threads.push_back(std::move(own));
    }
    return *of_threads[static_cast<std::size_t>(thread)];
  }

  void reserve_arena(std::size_t bytes) {
    if (bytes <= arena.bytes()) return;
    arena = Pages();  // both at once might not fit
    arena = Pages(bytes);
  }
};

}  // namespace qfw::cpu
