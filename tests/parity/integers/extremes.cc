#include "parity/integers/extremes.h"

#include <algorithm>

#include "qfw/ops.h"
#include "support/evaluate.h"

namespace qfw::parity {

namespace {

constexpr std::int64_t size = 5, images = 2;

struct Extreme {
  std::int64_t kernel, src_channels, features, groups;  ///< src_channels: of a group
  DType src;
  int weights;  ///< -1, 0, 1: -128, alternating, 127
};

std::vector<Extreme> all_extremes() {
  std::vector<Extreme> all;
  for (const DType src : {DType::u8, DType::s8}) {
    for (const int weights : {-1, 0, 1}) {
      for (const auto& [kernel, src_channels, features, groups] : {std::array<std::int64_t, 4>{3, 64, 32, 1},
                                                                   {1, 256, 64, 1},
                                                                   {3, 5, 19, 1},
                                                                   {0, 500, 33, 1},
                                                                   {3, 1, 40, 40},
                                                                   {5, 1, 16, 16},
                                                                   {3, 4, 64, 16},
                                                                   {3, 6, 15, 3}}) {
        all.push_back({kernel, src_channels, features, groups, src, weights});
      }
    }
  }
  return all;
}

float code(DType type) { return type == DType::u8 ? 255.f : -128.f; }
/// Pairs of equal sign lie side by side in the depth, which is where processors add them in 16 bits.
float weight(const Extreme& extreme, std::int64_t depth) {
  return extreme.weights > 0 || (extreme.weights == 0 && depth / 2 % 2 == 0) ? 127.f : -128.f;
}
std::int64_t depth_of(const Extreme& extreme) {
  return std::max<std::int64_t>(extreme.kernel * extreme.kernel, 1) * extreme.src_channels;
}

}  // namespace

std::vector<float> extreme_sums(const std::string& backend) {
  std::vector<float> all;
  for (const Extreme& extreme : all_extremes()) {
    const bool dense_layer = extreme.kernel == 0;
    const Shape src_shape =
        dense_layer ? Shape{images, extreme.src_channels} : Shape{images, size, size, extreme.src_channels * extreme.groups};
    const Shape shape = dense_layer ? Shape{extreme.src_channels, extreme.features}
                                    : Shape{extreme.kernel, extreme.kernel, extreme.src_channels, extreme.features};
    GraphBuilder g({.training = false});
    const Value src = cast(g.input("src", {src_shape, DType::f32}), extreme.src),
                weights = cast(g.input("weights", {shape, DType::f32}), DType::s8);
    g.fetch("sums", cast(dense_layer ? dense(src, weights, {}) : conv2d(src, weights, {.groups = extreme.groups}), DType::f32));
    std::vector<float> values(static_cast<std::size_t>(shape.count()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = weight(extreme, static_cast<std::int64_t>(i) / extreme.features);
    testing::Evaluator evaluator(backend);
    const auto sums = evaluator.run(
        g, {},
        {{"src", std::vector<float>(static_cast<std::size_t>(src_shape.count()), code(extreme.src))}, {"weights", values}});
    all.insert(all.end(), sums.at("sums").begin(), sums.at("sums").end());
  }
  return all;
}

std::vector<float> expected_extreme_sums() {
  std::vector<float> all;
  for (const Extreme& extreme : all_extremes()) {
    double sum = 0;
    for (std::int64_t k = 0; k < depth_of(extreme); ++k) sum += code(extreme.src) * weight(extreme, k);
    const std::int64_t out = extreme.kernel == 0 ? 1 : size - extreme.kernel + 1;
    all.insert(all.end(), static_cast<std::size_t>(images * out * out * extreme.features), static_cast<float>(sum));
  }
  return all;
}

}  // namespace qfw::parity
