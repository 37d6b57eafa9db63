#include "riding.h"

#include <fmt/format.h>
#include <omp.h>
#include <unistd.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <vector>

#include "fused/fused_kernel.h"
#include "matmul/geometry.h"
#include "matmul/matmul.h"
#include "matmul/sliced_convolution.h"
#include "qfw/denormals.h"

namespace qfw::cpu {
namespace {

// A slice reads all weights: where they are more than its sums may be, it is longer, and it is never so short that they are
// read for a few rows.
constexpr std::int64_t least_rows = 32;
// Sums of an image from which on a kernel of several pixels is worth being run for a few rows of it at a time.
constexpr std::int64_t large_image_bytes = 1 << 20;

/// Of the sums that are written and read again: with what else the pass reads and writes they stay in the second-level cache.
std::int64_t slice_bytes() {
  constexpr std::int64_t least = 256 << 10, most = 1 << 20;
#if defined(_SC_LEVEL2_CACHE_SIZE)
  static const std::int64_t cache = sysconf(_SC_LEVEL2_CACHE_SIZE);  // 0 or less: not known
#else
  constexpr std::int64_t cache = 0;
#endif
  return std::clamp(cache / 4, least, most);
}

/// Into how many equal slices the convolution and the pass can be cut, each some of the pass's chunks; 1: it cannot.
std::int64_t slices_of(const Geometry& g, const Tiling& tiling, int threads) {
  const auto chunks = static_cast<std::int64_t>(tiling.chunks.size());
  const bool equal = tiling.rows * tiling.cols == tiling.count && tiling.rows % chunks == 0 &&
                     tiling.chunks[0].last_row * chunks == tiling.rows;
  if (!equal) return 1;
  const std::int64_t weights = g.depth() * g.o, sums = g.rows() * g.o * 4;
  const bool parts_of_images = g.rows_are_pixels() || sums >= large_image_bytes * g.n;
  const std::int64_t most = parts_of_images ? chunks : std::gcd(chunks, g.n);
  const std::int64_t bytes = std::max(slice_bytes(), weights), wanted = (sums + bytes - 1) / bytes;
  std::int64_t count = 1;
  for (const bool evenly : {true, false}) {  // for all threads; few slices that are shared out unevenly make some wait
    for (std::int64_t parts = threads; parts <= most && g.rows() / parts >= least_rows; ++parts) {
      if (most % parts != 0 || !SlicedConvolution::divides(g, parts) || (evenly && parts % threads != 0)) continue;
      count = parts;
      if (parts >= wanted) break;
    }
    if (count > 1) break;
  }
  return count;
}

class RidingKernel final : public Kernel {
 public:
  RidingKernel(const Graph& graph, int number, const lowering::Group& group, Context& context)
      : context_(context), node_inputs_(graph.nodes[number].inputs.size()) {
    const Node& node = graph.nodes[number];
    pass_ = make_fused(graph, group, context.threads, *context.body);
    carried_ = static_cast<int>(std::ranges::find(group.inputs, Use{number, 0}) - group.inputs.begin());
    pass_inputs_.resize(group.inputs.size());
    for (int thread = 0; thread < context.threads; ++thread) inputs_of_.emplace_back(group.inputs.size());
    count_ = slices_of(geometry_of(graph, node), pass_->tiling(), context.threads);
    if (count_ > 1) sliced_ = SlicedConvolution::make(graph, node, count_, context);
    if (sliced_ != nullptr) return;
    whole_ = make_matmul(graph, node, context);
    context.slice.reserve(node.outputs[0].bytes());
  }

  const char* kind() const override { return "conv2d integer"; }
  std::string implementation() const override {
    if (whole_) return fmt::format("{}, then its pass {}", whole_->implementation(), pass_->implementation());
    return fmt::format("{}, with its pass {} in {} slices", sliced_->implementation(), pass_->implementation(), count_);
  }
  bool in_place(int input, int output) const override {
    const auto own = static_cast<std::size_t>(input);
    return own >= node_inputs_ && pass_->in_place(place_of(own - node_inputs_), output);
  }

  void run(Executable::Step step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    for (std::size_t i = node_inputs_; i < inputs.size(); ++i) pass_inputs_[place_of(i - node_inputs_)] = inputs[i];
    if (whole_) {
      void* const sums = context_.slice.data();
      whole_->run(step, inputs.first(node_inputs_), {&sums, 1});
      pass_inputs_[carried_] = sums;
      pass_->run(step, pass_inputs_, outputs);
      return;
    }
    sliced_->pack(inputs[1]);
    pass_->begin();
    std::exception_ptr error;
#pragma omp parallel num_threads(context_.threads)
    {
      const FlushDenormals flush;
      const int thread = omp_get_thread_num(), team = omp_get_num_threads();
      Operands operands = operands_of(thread, outputs);
      pass_->prologue(operands, thread);
#pragma omp for schedule(dynamic)
      for (std::int64_t slice = 0; slice < count_; ++slice) {
        try {
          run_slice(inputs[0], slice, operands, thread);
        } catch (...) {
#pragma omp critical
          error = std::current_exception();
        }
      }  // a barrier
      if (pass_->reduces()) pass_->finish(thread, team, operands);
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  /// Of the group's inputs without what the convolution writes: the position among all of them.
  int place_of(std::size_t input) const { return static_cast<int>(input) + (static_cast<int>(input) >= carried_); }

  Operands operands_of(int thread, std::span<void* const> outputs) {
    std::vector<const void*>& own = inputs_of_[static_cast<std::size_t>(thread)];
    std::ranges::copy(pass_inputs_, own.begin());
    return {own.data(), outputs.data()};
  }

  void run_slice(const void* src, std::int64_t slice, const Operands& operands, int thread) {
    std::byte* sums = context_.of_thread(thread).slice.data();
    sliced_->run(slice, src, sums, thread);
    // The pass finds each element at its index in the whole output.
    const auto before = static_cast<std::uintptr_t>(slice) * sliced_->slice_bytes();
    inputs_of_[static_cast<std::size_t>(thread)][static_cast<std::size_t>(carried_)] =
        reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(sums) - before);
    const auto chunks = static_cast<std::int64_t>(pass_->tiling().chunks.size()), own = chunks / count_;
    for (std::int64_t chunk = slice * own; chunk < (slice + 1) * own; ++chunk) {
      pass_->run_chunk(operands, static_cast<std::size_t>(chunk), thread);
    }
  }

  Context& context_;
  std::size_t node_inputs_;
  std::unique_ptr<FusedKernel> pass_;
  int carried_ = 0;  ///< which of the group's inputs the convolution writes
  std::int64_t count_ = 1;
  std::unique_ptr<SlicedConvolution> sliced_;  ///< or, where nothing can be sliced:
  std::unique_ptr<Kernel> whole_;
  std::vector<const void*> pass_inputs_;
  std::vector<std::vector<const void*>> inputs_of_;  ///< by thread
};

}  // namespace

std::unique_ptr<Kernel> make_riding(const Graph& graph, int node, const lowering::Group& group, Context& context) {
  return std::make_unique<RidingKernel>(graph, node, group, context);
}

}  // namespace qfw::cpu
