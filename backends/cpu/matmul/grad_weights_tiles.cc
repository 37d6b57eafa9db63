#include <algorithm>
#include <utility>

#include "matmul/bf16_tiles.h"
#include "matmul/make.h"
#include "matmul/partial_sums.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

// Rows that are gathered at once, and channels of grad: two rows of tiles of src stay in the first-level cache while they meet
// those of grad, which stay in the second.
constexpr std::int64_t slice_steps = 12, slice_rows = slice_steps * tile_rows, slice_channels = 1024;
constexpr std::int64_t block = 2 * tile_size;  // of the result, that is in registers

// Gradients up to this size are summed by several threads, each into its own; of greater ones each thread takes a part.
constexpr std::int64_t shared_elements = 1 << 17;

std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// dst[depth][o] = sum over rows of src[row][depth] * grad[row][o], in tiles. The depth is one run after the other, each so
/// many elements that follow each other in src: the channels of one of the kernel's elements, or, where these are few, all of a
/// row of the kernel, in a copy of src that has its padding. Threads take parts of the rows, of the depth or of the channels of
/// grad.
class GradWeightsTiles final : public Kernel {
 public:
  GradWeightsTiles(const Graph& graph, const Node& node, Context& context)
      : context_(context), g_(geometry_of(graph, node)), type_(graph.type(node.inputs[0]).dtype) {
    padded_ = g_.c < tile_size && g_.kw > 1;
    run_ = padded_ ? g_.kw * g_.c : g_.c;
    blocks_of_run_ = ceil_div(run_, block);
    depth_blocks_ = g_.depth() / run_ * blocks_of_run_;
    channel_blocks_ = ceil_div(g_.o, block);
    share_out(context.threads);

    ScratchLayout own;
    rows_at_ = own.take(slice_rows * sizeof(void*));
    strip_at_ = own.take(2 * slice_steps * tile_bytes);
    panels_at_ =
        own.take(static_cast<std::size_t>(std::min(slice_channels / block, channel_blocks_) * 2 * slice_steps * tile_bytes));
    corner_at_ = own.take(block * block * sizeof(float));
    own_bytes_ = own.size();
    ScratchLayout all;
    own_at_ = all.take(own_bytes_ * static_cast<std::size_t>(context.threads));
    sums_at_ = all.take(static_cast<std::size_t>((row_parts_ - 1) * count()) * sizeof(float));
    if (padded_) copy_at_ = all.take(static_cast<std::size_t>(g_.n * padded_rows() * padded_row()) * size_of(type_));
    context.scratch.reserve(all.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    const auto* grad = static_cast<const BFloat16*>(inputs[1]);
    auto* dst = static_cast<float*>(outputs[0]);
    switch (type_) {
      case DType::u8:
        return run(static_cast<const std::uint8_t*>(inputs[0]), grad, dst);
      case DType::s8:
        return run(static_cast<const std::int8_t*>(inputs[0]), grad, dst);
      default:
        return run(static_cast<const BFloat16*>(inputs[0]), grad, dst);
    }
  }

  const char* kind() const override { return "conv2d backward weights"; }
  std::string implementation() const override { return "own bf16 tiles"; }

 private:
  struct Part {
    std::int64_t row, row_end, depth, depth_end, channel, channel_end;  ///< depth and channel in blocks
    float* dst;
    std::byte* own;
  };

  std::int64_t count() const { return g_.depth() * g_.o; }
  std::int64_t padded_rows() const { return g_.top + g_.h + g_.bottom; }
  std::int64_t padded_row() const { return (g_.left + g_.w + g_.right) * g_.c; }

  /// What is gathered more than once costs least.
  void share_out(std::int64_t threads) {
    if (count() <= shared_elements) {
      row_parts_ = std::clamp<std::int64_t>(g_.rows() / slice_rows, 1, threads);
      return;
    }
    std::int64_t least = -1;
    for (std::int64_t parts = 1; parts <= threads; ++parts) {
      if (threads % parts != 0) continue;
      const std::int64_t depth_parts = std::min(parts, depth_blocks_),
                         channel_parts = std::min(threads / parts, channel_blocks_);
      const std::int64_t gathered = depth_blocks_ * channel_parts + channel_blocks_ * depth_parts;
      if (least >= 0 && gathered >= least) continue;
      least = gathered;
      depth_parts_ = depth_parts;
      channel_parts_ = channel_parts;
    }
  }

  template <class T>
  void run(const T* src, const BFloat16* grad, float* dst) const {
    std::byte* scratch = context_.scratch.data();
    auto* sums = reinterpret_cast<float*>(scratch + sums_at_);
    auto* copy = reinterpret_cast<T*>(scratch + copy_at_);
    const std::int64_t parts = row_parts_ * depth_parts_ * channel_parts_;
#pragma omp parallel num_threads(context_.threads)
    {
      if (padded_) pad(src, copy);
      const TileUnit unit;
#pragma omp for schedule(static)
      for (std::int64_t i = 0; i < parts; ++i) {
        const std::int64_t row = i % row_parts_, depth = i / row_parts_ % depth_parts_, channel = i / row_parts_ / depth_parts_;
        multiply(padded_ ? copy : src, grad,
                 {
                     .row = g_.rows() * row / row_parts_,
                     .row_end = g_.rows() * (row + 1) / row_parts_,
                     .depth = depth_blocks_ * depth / depth_parts_,
                     .depth_end = depth_blocks_ * (depth + 1) / depth_parts_,
                     .channel = channel_blocks_ * channel / channel_parts_,
                     .channel_end = channel_blocks_ * (channel + 1) / channel_parts_,
                     .dst = row == 0 ? dst : sums + (row - 1) * count(),
                     .own = scratch + own_at_ + own_bytes_ * static_cast<std::size_t>(thread_index()),
                 });
      }
    }
    add_partial_sums(sums, row_parts_ - 1, count(), dst, context_.threads);
  }

  /// By the threads of a team, which wait for each other.
  template <class T>
  void pad(const T* src, T* to) const {
    const std::int64_t rows = padded_rows(), length = padded_row();
#pragma omp for schedule(static)
    for (std::int64_t i = 0; i < g_.n * rows; ++i) {
      T* line = to + i * length;
      const std::int64_t h = i % rows - g_.top;
      if (h < 0 || h >= g_.h) {
        std::fill_n(line, length, T(0));
        continue;
      }
      const T* from = src + (i / rows * g_.h + h) * g_.w * g_.c;
      T* const begin = std::fill_n(line, g_.left * g_.c, T(0));
      std::fill(std::copy_n(from, g_.w * g_.c, begin), line + length, T(0));
    }
  }

  /// Where a run of each of some rows lies: null where it hangs over the edge.
  template <class T>
  void find_rows(const T* src, std::int64_t run, std::int64_t row, std::int64_t row_end, const T** to) const {
    const T** const end = to + ceil_div(row_end - row, tile_rows) * tile_rows;
    for (std::int64_t line = row / g_.ow; row < row_end; ++line) {
      const std::int64_t x = row % g_.ow, x_end = std::min(g_.ow, x + row_end - row), y = line % g_.oh, n = line / g_.oh;
      row += x_end - x;
      if (padded_) {
        const T* at = src + (n * padded_rows() + y * g_.sh + run) * padded_row();
        for (std::int64_t i = x; i < x_end; ++i) *to++ = at + i * g_.sw * g_.c;
        continue;
      }
      const std::int64_t h = y * g_.sh - g_.top + run / g_.kw, left = run % g_.kw - g_.left;
      if (h < 0 || h >= g_.h) {
        to = std::fill_n(to, x_end - x, nullptr);
        continue;
      }
      const T* at = src + (n * g_.h + h) * g_.w * g_.c;
      for (std::int64_t i = x; i < x_end; ++i) {
        const std::int64_t w = i * g_.sw + left;
        *to++ = w >= 0 && w < g_.w ? at + w * g_.c : nullptr;
      }
    }
    std::fill(to, end, nullptr);
  }

  template <class T>
  void multiply(const T* src, const BFloat16* grad, const Part& part) const {
    constexpr std::int64_t blocks = slice_channels / block;
    for (std::int64_t channel = part.channel; channel < part.channel_end; channel += blocks) {
      const std::int64_t end = std::min(part.channel_end, channel + blocks);
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
    gather_grad(grad, row, row_end, channel * block, std::min(channel_end * block, g_.o), panels);
    std::int64_t found = -1;
    for (std::int64_t depth = part.depth; depth < part.depth_end; ++depth) {
      const std::int64_t run = depth / blocks_of_run_, first = depth % blocks_of_run_ * block;
      const std::int64_t height = std::min(block, run_ - first);
      if (run != found) find_rows(src, found = run, row, row_end, rows);
      for (std::int64_t i = 0; i < height; i += tile_size) {
        for (std::int64_t step = 0; step < steps; ++step) {
          gather_tile(rows + step * tile_rows, first + i, std::min(tile_size, height - i),
                      strip + i / tile_size * next + step * tile_bytes);
        }
      }
      for (std::int64_t at = channel; at < channel_end; ++at) {
        const std::int64_t width = std::min(block, g_.o - at * block);
        const std::byte* panel = panels + (at - channel) * 2 * next;
        float* dst = part.dst + (run * run_ + first) * g_.o + at * block;
        if (height == block && width == block) {
          multiply_tiles(strip, next, panel, next, steps, dst, g_.o, row > part.row);
        } else {
          auto* corner = reinterpret_cast<float*>(part.own + corner_at_);
          // A tile that is not there is replaced by the one before: what comes of it is left out.
          multiply_tiles(strip, height > tile_size ? next : 0, panel, width > tile_size ? next : 0, steps, corner, block,
                         false);
          add_corner(corner, height, width, dst, row > part.row);
        }
      }
    }
  }

  void gather_grad(const BFloat16* grad, std::int64_t row, std::int64_t row_end, std::int64_t channel, std::int64_t channel_end,
                   std::byte* to) const {
    for (; channel < channel_end; channel += tile_size) {
      for (std::int64_t first = row; first < row_end; first += tile_rows, to += tile_bytes) {
        pair_tile(grad + first * g_.o + channel, g_.o, std::min(tile_rows, row_end - first),
                  std::min(tile_size, channel_end - channel), to);
      }
    }
  }

  void add_corner(const float* corner, std::int64_t height, std::int64_t width, float* dst, bool add) const {
    for (std::int64_t k = 0; k < height; ++k, corner += block, dst += g_.o) {
      for (std::int64_t o = 0; o < width; ++o) dst[o] = corner[o] + (add ? dst[o] : 0.0f);
    }
  }

  Context& context_;
  Geometry g_;
  DType type_;
  bool padded_ = false;
  std::int64_t run_ = 0, blocks_of_run_ = 0, depth_blocks_ = 0, channel_blocks_ = 0;
  std::int64_t row_parts_ = 1, depth_parts_ = 1, channel_parts_ = 1;
  std::size_t own_at_ = 0, own_bytes_ = 0, sums_at_ = 0, copy_at_ = 0;      ///< in the scratch
  std::size_t rows_at_ = 0, strip_at_ = 0, panels_at_ = 0, corner_at_ = 0;  ///< in a thread's own
};

}  // namespace

bool takes_tiles(const Geometry& g) { return g.groups == 1 && has_bf16_tiles(); }

std::unique_ptr<Kernel> make_grad_weights_tiles(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<GradWeightsTiles>(graph, node, context);
}

}  // namespace qfw::cpu
