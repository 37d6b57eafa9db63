#include <cmath>
#include <limits>

#include "single.h"

namespace qfw::cpu::test {
namespace {

struct PoolCase {
  std::int64_t n, h, w, c;
  Pool pool;

  Shape src() const { return {n, h, w, c}; }
  Shape dst() const {
    const auto extent = [&](int axis, std::int64_t in) {
      return (in + pool.padding.low[axis] + pool.padding.high[axis] - pool.window[axis]) / pool.stride[axis] + 1;
    };
    return {n, extent(0, h), extent(1, w), c};
  }
  /// The element of src that wins each result: the first maximum; a NaN is the largest.
  std::vector<std::int64_t> winners(const std::vector<double>& x) const {
    std::vector<std::int64_t> result;
    const Shape to = dst();
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t y = 0; y < to[1]; ++y)
        for (std::int64_t z = 0; z < to[2]; ++z)
          for (std::int64_t k = 0; k < c; ++k) {
            std::int64_t best = -1;
            for (std::int64_t a = 0; a < pool.window[0]; ++a)
              for (std::int64_t b = 0; b < pool.window[1]; ++b) {
                const std::int64_t row = y * pool.stride[0] - pool.padding.low[0] + a,
                                   column = z * pool.stride[1] - pool.padding.low[1] + b;
                if (row < 0 || row >= h || column < 0 || column >= w) continue;
                const std::int64_t at = ((i * h + row) * w + column) * c + k;
                if (best < 0 || x[at] > x[best] || (std::isnan(x[at]) && !std::isnan(x[best]))) best = at;
              }
            result.push_back(best);
          }
    return result;
  }
};

std::vector<PoolCase> pools() {
  return {{2, 8, 8, 64, {.window = {3, 3}, .stride = {2, 2}, .padding = {{0, 0}, {1, 1}}}},
          {1, 7, 5, 17, {.window = {3, 3}, .stride = {2, 2}, .padding = {{1, 1}, {1, 1}}}},
          {3, 6, 6, 3, {.window = {2, 2}, .stride = {2, 2}}},
          {1, 5, 9, 1, {.window = {2, 3}, .stride = {1, 2}, .padding = {{1, 0}, {0, 2}}}},
          {2, 9, 9, 9, {.window = {2, 2}, .stride = {3, 3}}},
          {1, 1, 1, 5, {.window = {1, 1}, .stride = {1, 1}}}};
}

/// Few distinct negative values: many ties, and a padding of 0 would win.
Bytes ties(const TensorType& type, unsigned seed) {
  std::mt19937 generator(seed);
  return fill(type, [&] { return -1.0 - static_cast<double>(generator() % 4); });
}

TEST(MaxPool, PaddingNeverWins) {
  for (const PoolCase& test : pools()) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Bytes src = ties({test.src(), type}, 1);
      const auto x = numbers(src, type);
      std::vector<double> expected;
      for (const std::int64_t at : test.winners(x)) expected.push_back(x[at]);
      Graph graph = single(Op::max_pool, {test.src(), type}, {{1}, type}, test.pool, {test.dst(), type});
      graph.nodes.back().inputs.pop_back();
      Context context{.threads = 2};
      EXPECT_EQ(numbers(run(graph, {src}, context), type), expected);
    }
  }
}

TEST(MaxPool, GradientGoesToTheFirstMaximum) {
  for (const PoolCase& test : pools()) {
    for (const DType type : {DType::f32, DType::bf16}) {
      const Bytes src = ties({test.src(), type}, 2), grad = random_integers({test.dst(), type}, -20, 20, 3);  // sums stay exact
      const auto x = numbers(src, type), g = numbers(grad, type);
      std::vector<double> expected(x.size());
      const auto winners = test.winners(x);
      for (std::size_t i = 0; i < winners.size(); ++i) expected[winners[i]] += g[i];
      const Graph graph = single(Op::max_pool_grad, {test.src(), type}, {test.dst(), type}, test.pool, {test.src(), type});
      for (const int threads : {1, 3}) {
        Context context{.threads = threads};
        EXPECT_EQ(numbers(run(graph, {src, grad}, context), type), expected);
      }
    }
  }
}

TEST(MaxPool, NaNIsTheLargest) {
  const PoolCase test{1, 1, 5, 9, {.window = {1, 3}, .stride = {1, 1}}};
  auto x = std::vector<float>(45, 1.0f);
  for (int c = 0; c < 9; ++c) x[2 * 9 + c] = std::numeric_limits<float>::quiet_NaN(), x[3 * 9 + c] = 7;
  Bytes src(x.size() * 4);
  std::memcpy(src.data(), x.data(), src.size());
  Graph graph = single(Op::max_pool, {test.src(), DType::f32}, {{1}, DType::f32}, test.pool, {test.dst(), DType::f32});
  graph.nodes.back().inputs.pop_back();
  Context context{.threads = 1};
  for (const double value : numbers(run(graph, {src}, context), DType::f32)) EXPECT_TRUE(std::isnan(value));
  const Bytes grad = random_integers({test.dst(), DType::f32}, 1, 1, 0);
  const auto found = numbers(
      run(single(Op::max_pool_grad, {test.src(), DType::f32}, {test.dst(), DType::f32}, test.pool, {test.src(), DType::f32}),
          {src, grad}, context),
      DType::f32);
  for (int i = 0; i < 45; ++i) EXPECT_EQ(found[i], i / 9 == 2 ? 3 : 0);
}

}  // namespace
}  // namespace qfw::cpu::test
