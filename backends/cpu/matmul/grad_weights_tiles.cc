#include <algorithm>
#include <vector>

#include "matmul/bf16_tiles.h"
#include "matmul/make.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

// Rows that are gathered at once, and channels of grad: two rows of tiles of src stay in the first-level cache while they meet
// those of grad, which stay in the second.
constexpr std::int64_t slice_rows = 12 * tile_rows, slice_channels = 1024, pair_size = 2 * tile_size;

// Gradients up to this size are summed by several threads, each into its own; of greater ones each thread takes a part.
constexpr std::int64_t shared_elements = 1 << 17;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Where the kernel's element (tap) of each of some rows lies in src: null where it hangs over the edge.
template <class T>
void find_rows(const Geometry& g, const T* src, std::int64_t tap, std::int64_t row, std::int64_t rows, const T** to) {
  const std::int64_t padded = ceil_div(rows, tile_rows) * tile_rows;
  std::fill(to + rows, to + padded, nullptr);
  if (g.rows_are_pixels()) {
    for (std::int64_t i = 0; i < rows; ++i) to[i] = src + (row + i) * g.c;
    return;
  }
  std::int64_t x = row % g.ow, y = row / g.ow % g.oh, n = row / g.ow / g.oh;
  for (std::int64_t i = 0; i < rows; ++i) {
    const std::int64_t h = y * g.sh - g.top + tap / g.kw, w = x * g.sw - g.left + tap % g.kw;
    const bool inside = h >= 0 && h < g.h && w >= 0 && w < g.w;
    to[i] = inside ? src + ((n * g.h + h) * g.w + w) * g.c : nullptr;
    if (++x < g.ow) continue;
    x = 0;
    if (++y < g.oh) continue;
    y = 0;
    ++n;
  }
}

/// dst[depth][o] = sum over rows of src[row][depth] * grad[row][o], one group, in tiles. Threads take parts of the rows, of the
/// depth or of the channels of grad.
class GradWeightsTiles final : public Kernel {
 public:
  GradWeightsTiles(const Graph& graph, const Node& node, Context& context)
      : context_(context), g_(geometry_of(graph, node)), type_(graph.type(node.inputs[0]).dtype) {
    depth_tiles_ = g_.depth() / tile_size;
    channel_tiles_ = g_.o / tile_size;
    share_out(context.threads);
    rows_at_ = layout_.take(slice_rows * sizeof(void*));
    strip_at_ = layout_.take(2 * slice_rows / tile_rows * tile_bytes);
    const std::int64_t panels = std::min(slice_channels / tile_size, channel_tiles_ + channel_tiles_ % 2);
    panels_at_ = layout_.take(static_cast<std::size_t>(panels * slice_rows / tile_rows * tile_bytes));
    corner_at_ = layout_.take(pair_size * pair_size * sizeof(float));
    own_bytes_ = layout_.size();
    const auto sums = static_cast<std::size_t>((row_parts_ - 1) * count()) * sizeof(float);
    context.scratch.reserve(own_bytes_ * static_cast<std::size_t>(context.threads) + sums);
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    auto* dst = static_cast<float*>(outputs[0]);
    std::byte* scratch = context_.scratch.data();
    auto* sums = reinterpret_cast<float*>(scratch + own_bytes_ * static_cast<std::size_t>(context_.threads));
    const std::int64_t parts = row_parts_ * depth_parts_ * channel_parts_;
#pragma omp parallel num_threads(context_.threads)
    {
      const TileUnit unit;
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < parts; ++i) {
        const std::int64_t row = i % row_parts_, depth = i / row_parts_ % depth_parts_, channel = i / row_parts_ / depth_parts_;
        const Part part{
            .row = g_.rows() * row / row_parts_,
            .row_end = g_.rows() * (row + 1) / row_parts_,
            .depth = pairs(depth_tiles_) * depth / depth_parts_ * 2,
            .depth_end = std::min(depth_tiles_, pairs(depth_tiles_) * (depth + 1) / depth_parts_ * 2),
            .channel = pairs(channel_tiles_) * channel / channel_parts_ * 2,
            .channel_end = std::min(channel_tiles_, pairs(channel_tiles_) * (channel + 1) / channel_parts_ * 2),
            .dst = row == 0 ? dst : sums + (row - 1) * count(),
            .own = scratch + own_bytes_ * static_cast<std::size_t>(thread_index()),
        };
        multiply(inputs[0], static_cast<const BFloat16*>(inputs[1]), part);
      }
      if (row_parts_ > 1) add(sums, dst);
    }
  }

  const char* kind() const override { return "conv2d backward weights"; }
  std::string implementation() const override { return "own bf16 tiles"; }

 private:
  struct Part {
    std::int64_t row, row_end, depth, depth_end, channel, channel_end;  ///< depth and channel in tiles
    float* dst;
    std::byte* own;
  };

  std::int64_t count() const { return g_.depth() * g_.o; }
  static std::int64_t pairs(std::int64_t tiles) { return ceil_div(tiles, 2); }

  /// What is gathered more than once costs least.
  void share_out(std::int64_t threads) {
    if (count() <= shared_elements) {
      row_parts_ = std::clamp<std::int64_t>(g_.rows() / slice_rows, 1, threads);
      return;
    }
    std::int64_t least = -1;
    for (std::int64_t parts = 1; parts <= threads; ++parts) {
      if (threads % parts != 0) continue;
      const std::int64_t depth_parts = std::min(parts, pairs(depth_tiles_)),
                         channel_parts = std::min(threads / parts, pairs(channel_tiles_));
      const std::int64_t gathered = depth_tiles_ * channel_parts + channel_tiles_ * depth_parts;
      if (least >= 0 && gathered >= least) continue;
      least = gathered;
      depth_parts_ = depth_parts;
      channel_parts_ = channel_parts;
    }
  }

  void multiply(const void* src, const BFloat16* grad, const Part& part) const {
    switch (type_) {
      case DType::u8:
        return multiply(static_cast<const std::uint8_t*>(src), grad, part);
      case DType::s8:
        return multiply(static_cast<const std::int8_t*>(src), grad, part);
      default:
        return multiply(static_cast<const BFloat16*>(src), grad, part);
    }
  }

  template <class T>
  void multiply(const T* src, const BFloat16* grad, const Part& part) const {
    for (std::int64_t channel = part.channel; channel < part.channel_end; channel += slice_channels / tile_size) {
      const std::int64_t end = std::min(part.channel_end, channel + slice_channels / tile_size);
      for (std::int64_t row = part.row; row < part.row_end; row += slice_rows) {
        multiply_slice(src, grad, part, channel, end, row, std::min(part.row_end, row + slice_rows));
      }
    }
  }

  template <class T>
  void multiply_slice(const T* src, const BFloat16* grad, const Part& part, std::int64_t channel, std::int64_t channel_end,
                      std::int64_t row, std::int64_t row_end) const {
    auto** rows = reinterpret_cast<const T**>(part.own + rows_at_);
    std::byte *strip = part.own + strip_at_, *panels = part.own + panels_at_;
    const std::int64_t steps = ceil_div(row_end - row, tile_rows), next = steps * tile_bytes;
    for (std::int64_t tile = channel; tile < channel_end; ++tile) {
      for (std::int64_t step = 0; step < steps; ++step) {
        const std::int64_t first = row + step * tile_rows;
        pair_tile(grad + first * g_.o + tile * tile_size, g_.o, std::min(tile_rows, row_end - first), tile_size,
                  panels + (tile - channel) * next + step * tile_bytes);
      }
    }
    std::int64_t tap = -1;
    for (std::int64_t depth = part.depth; depth < part.depth_end; depth += 2) {
      const std::int64_t height = std::min<std::int64_t>(2, part.depth_end - depth);
      for (std::int64_t i = 0; i < height; ++i) {
        const std::int64_t k = (depth + i) * tile_size;
        if (k / g_.c != tap) find_rows(g_, src, tap = k / g_.c, row, row_end - row, rows);
        for (std::int64_t step = 0; step < steps; ++step) {
          gather_tile(rows + step * tile_rows, k % g_.c, tile_size, strip + i * next + step * tile_bytes);
        }
      }
      for (std::int64_t tile = channel; tile < channel_end; tile += 2) {
        const std::int64_t width = std::min<std::int64_t>(2, channel_end - tile);
        const std::byte* panel = panels + (tile - channel) * next;
        float* dst = part.dst + depth * tile_size * g_.o + tile * tile_size;
        if (height == 2 && width == 2) {
          multiply_tiles(strip, next, panel, next, steps, dst, g_.o, row > part.row);
        } else {
          multiply_corner(strip, panel, next, steps, part, {height * tile_size, width * tile_size}, dst, row > part.row);
        }
      }
    }
  }

  /// Where there is no second tile below, or none beside: what is multiplied in its stead is left out.
  void multiply_corner(const std::byte* strip, const std::byte* panel, std::int64_t next, std::int64_t steps, const Part& part,
                       std::pair<std::int64_t, std::int64_t> size, float* dst, bool add) const {
    auto* corner = reinterpret_cast<float*>(part.own + corner_at_);
    const auto [height, width] = size;
    multiply_tiles(strip, height == pair_size ? next : 0, panel, width == pair_size ? next : 0, steps, corner, pair_size,
                   false);
    for (std::int64_t k = 0; k < height; ++k) {
      for (std::int64_t o = 0; o < width; ++o) {
        float& sum = dst[k * g_.o + o];
        sum = corner[k * pair_size + o] + (add ? sum : 0.0f);
      }
    }
  }

  /// By the threads of a team.
  void add(const float* sums, float* dst) const {
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < count(); ++i) {
      float sum = dst[i];
      for (std::int64_t part = 1; part < row_parts_; ++part) sum += sums[(part - 1) * count() + i];
      dst[i] = sum;
    }
  }

  Context& context_;
  Geometry g_;
  DType type_;
  std::int64_t depth_tiles_ = 0, channel_tiles_ = 0;
  std::int64_t row_parts_ = 1, depth_parts_ = 1, channel_parts_ = 1;
  ScratchLayout layout_;  // of a thread
  std::size_t rows_at_ = 0, strip_at_ = 0, panels_at_ = 0, corner_at_ = 0, own_bytes_ = 0;
};

}  // namespace

bool takes_tiles(const Geometry& g) {
  return has_bf16_tiles() && g.groups == 1 && g.c % tile_size == 0 && g.o % tile_size == 0;
}

std::unique_ptr<Kernel> make_grad_weights_tiles(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<GradWeightsTiles>(graph, node, context);
}

}  // namespace qfw::cpu
