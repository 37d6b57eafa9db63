#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "matmul/integer_gemm.h"
#include "matmul/integer_words.h"
#include "matmul/packed_integer.h"
#include "matmul/primitive.h"

namespace qfw::cpu {
namespace {

class IntegerGroups final : public PackedInteger<WordProduct> {
 public:
  IntegerGroups(const Graph& graph, const Node& node, Context& context) : PackedInteger(graph, node, context) {
    const Geometry& g = product_.geometry;
    parts_ = std::min<std::int64_t>(context.threads, g.n * g.oh);
    std::size_t bytes = 0;
    for (const WordLoop loop : loops()) bytes = std::max(bytes, word_buffer_bytes(g, loop));
    place(parts_, bytes);
  }

  const char* kind() const override { return "conv2d integer"; }
  std::string implementation() const override {
    const bool once = packed_once(), known = once || least_loop(1) == least_loop(128);
    const WordLoop loop = once ? product_.loop : least_loop(128);
    return fmt::format("own groups {}{} {}{}", known ? "" : "u8 or ", name_of(loop), integer_target(),
                       once ? ", packed once" : "");
  }

 private:
  std::span<const WordLoop> loops() const {
    static constexpr WordLoop all[] = {WordLoop::pairs, WordLoop::quads, WordLoop::floats};
    return std::span(all).first(product_.geometry.cg() == 1 ? 3 : 2);
  }

  /// For weights up to that size.
  WordLoop least_loop(int greatest_weight) const {
    if (vnni_) return WordLoop::vnni;
    if (floats_are_faster() && exact_in_floats(greatest_weight)) return WordLoop::floats;
    const bool fits =
        codes_.steps(greatest_weight) >= std::min(fewest_steps, words_per_channel(product_.geometry, WordLoop::quads));
    return has_word_loop(WordLoop::quads) && fits ? WordLoop::quads : WordLoop::pairs;
  }

  bool exact_in_floats(int greatest_weight) const {
    const Geometry& g = product_.geometry;
    return g.cg() == 1 && g.depth() * std::max(codes_.greatest, codes_.offset) * greatest_weight <= 1 << 24;
  }

  void choose_loop(const std::int8_t* weights) override {
    const int most = greatest(weights, product_.geometry.depth() * product_.geometry.o);
    product_.loop = least_loop(most);
    product_.widen_after = codes_.steps(most);
  }

  std::int64_t vectors() const { return (product_.geometry.o + word_lanes() - 1) / word_lanes(); }
  std::int64_t vector_bytes(WordLoop loop) const { return words_per_channel(product_.geometry, loop) * word_lanes() * 4; }

  void place_packed(ScratchLayout& layout, bool chosen) override {
    std::int64_t any = 0;
    for (const WordLoop loop : loops()) any = std::max(any, vector_bytes(loop));
    packed_ = layout.take(static_cast<std::size_t>(vectors() * (chosen ? vector_bytes(product_.loop) : any)));
    compensation_ = layout.take(static_cast<std::size_t>(vectors() * word_lanes() * 4));
  }

  void pack(const std::int8_t* weights, std::byte* to) override {
    const std::int64_t bytes = vector_bytes(product_.loop), count = vectors();
    const bool compensate = codes_per_word(product_.loop) == 4 && product_.offset != 0;
    auto* compensation = reinterpret_cast<std::int32_t*>(to + compensation_);
    product_.weights = to + packed_;
    product_.compensation = compensate ? compensation : nullptr;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t v = 0; v < count; ++v) {
      pack_words(product_, weights, v, to + packed_ + v * bytes, compensate ? compensation + v * word_lanes() : nullptr);
    }
  }

  bool writes_whole_lines() const override { return word_channels() == 16 && product_.geometry.o % word_channels() == 0; }

  void multiply(std::byte* buffers) override {
    const std::int64_t rows = product_.geometry.n * product_.geometry.oh;
#pragma omp parallel for schedule(static) num_threads(context_.threads)
    for (std::int64_t part = 0; part < parts_; ++part) {
      cpu::multiply(product_, {.row = part * rows / parts_,
                               .row_end = (part + 1) * rows / parts_,
                               .buffer = buffers + static_cast<std::size_t>(part) * buffer_bytes_});
    }
  }

  const bool vnni_ = has_word_loop(WordLoop::vnni) && library_has_integer_dot();  // what caps oneDNN caps it, too
  std::int64_t parts_ = 1;
  std::size_t packed_ = 0, compensation_ = 0;  ///< in what is packed
};

}  // namespace

std::unique_ptr<Kernel> make_integer_groups(const Graph& graph, const Node& node, Context& context) {
  return std::make_unique<IntegerGroups>(graph, node, context);
}

}  // namespace qfw::cpu
