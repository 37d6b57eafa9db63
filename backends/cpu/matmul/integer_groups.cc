#include <fmt/format.h>

#include <algorithm>

#include "matmul/integer_codes.h"
#include "matmul/integer_gemm.h"
#include "matmul/integer_words.h"
#include "matmul/make.h"
#include "matmul/primitive.h"
#include "scratch.h"

namespace qfw::cpu {
namespace {

// Results beyond this size are gone from the caches before somebody reads them.
constexpr std::int64_t stream_bytes = 16 << 20;
// With fewer words between widenings the 8-bit loop loses to the 16-bit one.
constexpr std::int64_t fewest_steps = 4;

class IntegerGroups final : public Kernel {
 public:
  IntegerGroups(const Graph& graph, const Node& node, Context& context) : context_(context) {
    const Geometry g = geometry_of(graph, node);
    product_.geometry = g;
    codes_ = IntegerCodes(graph, node.inputs[0]);
    product_.src_signed = codes_.is_signed;
    product_.offset = codes_.offset;
    parts_ = std::min<std::int64_t>(context.threads, g.n * g.oh);
    const std::byte* constant = constant_operand(graph, node.inputs[1]);
    if (constant == nullptr) {
      place_packed(layout_);
    } else {
      pack_once(reinterpret_cast<const std::int8_t*>(constant));
    }
    buffer_bytes_ = std::max(word_buffer_bytes(g, WordLoop::pairs), word_buffer_bytes(g, WordLoop::quads));
    buffer_bytes_ = (buffer_bytes_ + 63) / 64 * 64;
    buffers_ = layout_.take(buffer_bytes_ * static_cast<std::size_t>(parts_));
    context.scratch.reserve(layout_.size());
  }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    std::byte* scratch = context_.scratch.data();
    if (own_.bytes() == 0) {
      const auto* weights = static_cast<const std::int8_t*>(inputs[1]);
      choose_loop(weights);
      pack(weights, scratch);
    }
    product_.src = static_cast<const std::uint8_t*>(inputs[0]);
    product_.dst = static_cast<std::int32_t*>(outputs[0]);
    const Geometry& g = product_.geometry;
    const std::int64_t rows = g.n * g.oh;
    // Only whole cache lines.
    product_.stream = g.rows() * g.o * 4 > stream_bytes && word_lanes() == 16 && g.o % word_lanes() == 0 &&
                      reinterpret_cast<std::uintptr_t>(outputs[0]) % 64 == 0;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t part = 0; part < parts_; ++part) {
      multiply(product_, {.row = part * rows / parts_,
                          .row_end = (part + 1) * rows / parts_,
                          .buffer = scratch + buffers_ + static_cast<std::size_t>(part) * buffer_bytes_});
    }
  }

  const char* kind() const override { return "conv2d integer"; }
  std::string implementation() const override {
    const bool once = own_.bytes() > 0;
    const char* loop =
        once || vnni_ || least_loop(1) == least_loop(128) ? name_of(once ? product_.loop : least_loop(128)) : "u8 or s16";
    return fmt::format("own groups {} {}{}", loop, integer_target(), once ? ", packed once" : "");
  }

 private:
  /// For weights up to that size.
  WordLoop least_loop(int greatest_weight) const {
    if (vnni_) return WordLoop::vnni;
    const bool fits =
        codes_.steps(greatest_weight) >= std::min(fewest_steps, words_per_channel(product_.geometry, WordLoop::quads));
    return has_word_loop(WordLoop::quads) && fits ? WordLoop::quads : WordLoop::pairs;
  }

  void choose_loop(const std::int8_t* weights) {
    const int most = greatest(weights, product_.geometry.depth() * product_.geometry.o);
    product_.loop = least_loop(most);
    product_.widen_after = codes_.steps(most);
  }

  std::int64_t vectors() const { return (product_.geometry.o + word_lanes() - 1) / word_lanes(); }
  std::int64_t vector_bytes(WordLoop loop) const { return words_per_channel(product_.geometry, loop) * word_lanes() * 4; }

  void place_packed(ScratchLayout& layout) {
    const std::int64_t bytes = std::max(vector_bytes(WordLoop::pairs), vector_bytes(WordLoop::quads));
    packed_ = layout.take(static_cast<std::size_t>(vectors() * bytes));
    compensation_ = layout.take(static_cast<std::size_t>(vectors() * word_lanes() * 4));
  }

  void pack_once(const std::int8_t* weights) {
    choose_loop(weights);
    ScratchLayout layout;
    place_packed(layout);
    own_ = Pages(layout.size());
    pack(weights, own_.data());
  }

  void pack(const std::int8_t* weights, std::byte* to) {
    const std::int64_t bytes = vector_bytes(product_.loop), count = vectors();
    const bool compensate = product_.loop != WordLoop::pairs && product_.offset != 0;
    auto* compensation = reinterpret_cast<std::int32_t*>(to + compensation_);
    product_.weights = to + packed_;
    product_.compensation = compensate ? compensation : nullptr;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t v = 0; v < count; ++v) {
      pack_words(product_, weights, v, to + packed_ + v * bytes, compensate ? compensation + v * word_lanes() : nullptr);
    }
  }

  Context& context_;
  WordProduct product_;
  IntegerCodes codes_;
  const bool vnni_ = has_word_loop(WordLoop::vnni) && library_has_integer_dot();  // what caps oneDNN caps it, too
  std::int64_t parts_ = 1;
  ScratchLayout layout_;
  Pages own_;  ///< constant weights, packed; none: they are packed into the scratch memory in each run
  std::size_t packed_ = 0, compensation_ = 0, buffers_ = 0, buffer_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_integer_groups(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<IntegerGroups>(graph, node, context);
}

}  // namespace qfw::cpu
