#include <fmt/format.h>

#include <algorithm>

#include "matmul/integer_words.h"
#include "matmul/make.h"
#include "matmul/winograd.h"
#include "pages.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

// Enough tiles that their products, not the reading of weights, take the time; few enough that they stay in caches.
constexpr std::int64_t greatest_part = 36;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Of a gradient of src: the convolution of the gradient of dst that it is, with weights turned round.
Geometry as_convolution(const Graph& graph, const Node& node) {
  Geometry g = geometry_of(graph, node);
  if (node.op == Op::conv2d) return g;
  std::swap(g.c, g.o);
  std::swap(g.h, g.oh);
  std::swap(g.w, g.ow);
  g.top = 2 - g.top;
  g.left = 2 - g.left;
  g.bottom = 2 - g.bottom;
  g.right = 2 - g.right;
  return g;
}

/// Tiles are shared out to the threads; where they are few, channels of dst are as well, so that no weight is read twice.
class Winograd final : public Kernel {
 public:
  Winograd(const Graph& graph, const Node& node, Context& context)
      : context_(context), g_(as_convolution(graph, node)), backward_(node.op == Op::conv2d_grad_src) {
    const WinogradExtents extents = winograd_extents(g_);
    tiles_ = extents.tiles;
    panels_ = extents.panels;
    parts_ = ceil_div(tiles_, greatest_part);
    if (parts_ < context.threads) {
      panel_parts_ = std::min<std::int64_t>(ceil_div(context.threads, parts_), panels_);
    } else {
      parts_ = std::min(ceil_div(parts_, context.threads) * context.threads, tiles_);
    }
    if (const std::byte* constant = constant_operand(graph, node.inputs[1])) {
      own_ = Pages(extents.weights_bytes);
      transform(reinterpret_cast<const float*>(constant), reinterpret_cast<float*>(own_.data()));
    } else {
      weights_ = layout_.take(extents.weights_bytes);
    }
    buffer_bytes_ = winograd_buffer_bytes(g_, ceil_div(tiles_, parts_), ceil_div(panels_, panel_parts_));
    buffer_bytes_ = (buffer_bytes_ + 63) / 64 * 64;
    buffers_ = layout_.take(buffer_bytes_ * static_cast<std::size_t>(context.threads));
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    auto* weights = reinterpret_cast<float*>(own_.data());
    if (weights == nullptr) {
      weights = reinterpret_cast<float*>(scratch + weights_);
      transform(static_cast<const float*>(inputs[1]), weights);
    }
    const auto* src = static_cast<const float*>(inputs[0]);
    auto* dst = static_cast<float*>(outputs[0]);
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < parts_ * panel_parts_; ++i) {
      const std::int64_t part = i / panel_parts_, panels = i % panel_parts_;
      winograd_convolve(g_, src, weights,
                        {.tile = part * tiles_ / parts_,
                         .tile_end = (part + 1) * tiles_ / parts_,
                         .panel = panels * panels_ / panel_parts_,
                         .panel_end = (panels + 1) * panels_ / panel_parts_,
                         .buffer = scratch + buffers_ + buffer_bytes_ * static_cast<std::size_t>(thread_index())},
                        dst);
    }
  }

  const char* kind() const override { return backward_ ? "conv2d backward data" : "conv2d forward"; }
  std::string implementation() const override {
    return fmt::format("own winograd {}{}", winograd_target(), own_.bytes() > 0 ? ", packed once" : "");
  }

 private:
  void transform(const float* from, float* to) const {
    const std::int64_t parts = std::min<std::int64_t>(context_.threads, g_.c);
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t i = 0; i < parts; ++i) {
      winograd_weights(g_, backward_, from, i * g_.c / parts, (i + 1) * g_.c / parts, to);
    }
  }

  Context& context_;
  Geometry g_;
  bool backward_;
  std::int64_t tiles_ = 0, panels_ = 0, parts_ = 1, panel_parts_ = 1;
  Pages own_;  ///< constant weights, transformed
  ScratchLayout layout_;
  std::size_t weights_ = 0, buffers_ = 0, buffer_bytes_ = 0;
};

}  // namespace

bool takes_winograd(const Geometry& g) {
  const auto pads = [](std::int64_t at) { return at >= 0 && at <= 2; };
  return winograd_channels % word_lanes() == 0 && g.kh == 3 && g.kw == 3 && g.sh == 1 && g.sw == 1 && g.groups == 1 &&
         g.c % winograd_channels == 0 && g.o % winograd_channels == 0 && pads(g.top) && pads(g.left) && pads(g.bottom) &&
         pads(g.right);
}

std::unique_ptr<Kernel> make_winograd(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<Winograd>(graph, node, context);
}

}  // namespace qfw::cpu
