#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "matmul/geometry.h"
#include "matmul/make.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

/// Along one axis: what the pixels of src that lie a stride apart get of the gradient. Each needs every stride-th tap, and
/// from one pixel to the next goes to the next element of the gradient: a convolution of stride 1 with these taps, mirrored.
struct PhaseAxis {
  std::int64_t first_tap, taps;
  std::int64_t first, count;  ///< pixels of src
  std::int64_t low, high;     ///< padding of the gradient; below 0: what is left out of it

  PhaseAxis(std::int64_t phase, std::int64_t kernel, std::int64_t stride, std::int64_t padding, std::int64_t src,
            std::int64_t dst)
      : first_tap(phase),
        taps(phase < kernel ? (kernel - phase + stride - 1) / stride : 0),
        first(((phase - padding) % stride + stride) % stride),
        count(first < src ? (src - first + stride - 1) / stride : 0),
        low(taps - 1 - (first + padding - phase) / stride),
        high(count - 1 + taps - dst - low) {}
};

/// The gradient of src in integers as forward convolutions of the gradient, which are exact on every processor: one for each
/// phase of the stride.
class OwnIntegerBackward final : public Kernel {
 public:
  OwnIntegerBackward(const Graph& graph, const Node& node, Context& context) : context_(context), g_(geometry_of(graph, node)) {
    std::size_t weights = 0, sums = 0;
    for (std::int64_t i = 0; i < g_.sh; ++i) {
      for (std::int64_t j = 0; j < g_.sw; ++j) {
        Phase phase{PhaseAxis(i, g_.kh, g_.sh, g_.top, g_.h, g_.oh), PhaseAxis(j, g_.kw, g_.sw, g_.left, g_.w, g_.ow), nullptr};
        if (phase.y.count == 0 || phase.x.count == 0) continue;
        if (phase.y.taps > 0 && phase.x.taps > 0) {
          const Graph convolution = as_convolution(graph, node, phase);
          phase.kernel = make_own_integer(convolution, convolution.nodes.back(), context);
        }
        weights = std::max(weights, static_cast<std::size_t>(phase.y.taps * phase.x.taps * g_.cg() * g_.o));
        if (scatters()) sums = std::max(sums, static_cast<std::size_t>(g_.n * phase.y.count * phase.x.count * g_.c) * 4);
        phases_.push_back(std::move(phase));
      }
    }
    ScratchLayout layout;
    weights_ = layout.take(weights);
    sums_ = layout.take(sums);
    context.slice.reserve(layout.size());
  }

  void run(Executable::Step step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* own = context_.slice.data();
    auto* dst = static_cast<std::int32_t*>(outputs[0]);
    for (const Phase& phase : phases_) {
      auto* sums = scatters() ? reinterpret_cast<std::int32_t*>(own + sums_) : dst;
      if (phase.kernel != nullptr) {
        mirror(phase, static_cast<const std::int8_t*>(inputs[1]), reinterpret_cast<std::int8_t*>(own + weights_));
        const void* const operands[] = {inputs[0], own + weights_};
        void* const result = sums;
        phase.kernel->run(step, operands, {&result, 1});
      } else {
        std::memset(sums, 0, static_cast<std::size_t>(g_.n * phase.y.count * phase.x.count * g_.c) * 4);
      }
      if (scatters()) scatter(phase, sums, dst);
    }
  }

  const char* kind() const override { return "conv2d backward data integer"; }
  std::string implementation() const override {
    const auto one = std::ranges::find_if(phases_, [](const Phase& phase) { return phase.kernel != nullptr; });
    return (one == phases_.end() ? "zeros" : one->kernel->implementation()) + (scatters() ? ", by phases of the stride" : "");
  }

 private:
  struct Phase {
    PhaseAxis y, x;
    std::unique_ptr<Kernel> kernel;  ///< none: no tap meets these pixels
  };

  bool scatters() const { return g_.sh > 1 || g_.sw > 1; }

  Graph as_convolution(const Graph& graph, const Node& node, const Phase& phase) const {
    const TensorType gradient = graph.type(node.inputs[0]);
    const TensorType weights{{phase.y.taps, phase.x.taps, g_.og(), g_.c}, DType::s8};
    const Conv2d conv{.padding = {{phase.y.low, phase.x.low}, {phase.y.high, phase.x.high}}, .groups = g_.groups};
    Graph convolution;
    convolution.nodes.push_back({Op::input, {}, Slot{0}, {gradient}, node.path});
    convolution.nodes.push_back({Op::input, {}, Slot{1}, {weights}, node.path});
    convolution.nodes.push_back(
        {Op::conv2d, {{0, 0}, {1, 0}}, conv, {{{g_.n, phase.y.count, phase.x.count, g_.c}, DType::s32}}, node.path});
    return convolution;
  }

  /// The phase's taps in opposite order, each with its input and output channels swapped.
  void mirror(const Phase& phase, const std::int8_t* weights, std::int8_t* to) const {
    constexpr std::int64_t block = 64;  // both sides of a block of a tap stay in the first-level cache
    const std::int64_t taps = phase.y.taps * phase.x.taps, blocks = (g_.cg() + block - 1) / block;
#pragma omp parallel for collapse(2) schedule(static) num_threads(context_.threads)
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      for (std::int64_t b = 0; b < g_.groups * blocks; ++b) {
        const std::int64_t i = phase.y.first_tap + (phase.y.taps - 1 - tap / phase.x.taps) * g_.sh,
                           j = phase.x.first_tap + (phase.x.taps - 1 - tap % phase.x.taps) * g_.sw;
        const std::int64_t group = b / blocks, first = b % blocks * block, last = std::min(g_.cg(), first + block);
        const std::int8_t* from = weights + (i * g_.kw + j) * g_.cg() * g_.o + group * g_.og();
        std::int8_t* at = to + tap * g_.og() * g_.c + group * g_.cg();
        for (std::int64_t out = 0; out < g_.og(); ++out) {
          for (std::int64_t c = first; c < last; ++c) at[out * g_.c + c] = from[c * g_.o + out];
        }
      }
    }
  }

  void scatter(const Phase& phase, const std::int32_t* from, std::int32_t* to) const {
    const std::int64_t rows = g_.n * phase.y.count;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t row = 0; row < rows; ++row) {
      const std::int64_t image = row / phase.y.count, y = phase.y.first + row % phase.y.count * g_.sh;
      for (std::int64_t i = 0; i < phase.x.count; ++i) {
        const std::int64_t x = phase.x.first + i * g_.sw;
        std::copy_n(from + (row * phase.x.count + i) * g_.c, g_.c, to + ((image * g_.h + y) * g_.w + x) * g_.c);
      }
    }
  }

  Context& context_;
  Geometry g_;
  std::vector<Phase> phases_;
  std::size_t weights_ = 0, sums_ = 0;  ///< in the context's memory for slices
};

}  // namespace

std::unique_ptr<Kernel> make_own_integer_backward(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<OwnIntegerBackward>(graph, node, context);
}

}  // namespace qfw::cpu
