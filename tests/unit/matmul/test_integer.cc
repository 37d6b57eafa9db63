#include <gmock/gmock.h>

#include "matmul/primitive.h"
#include "single.h"

namespace qfw::cpu::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

std::vector<std::int32_t> expected(const ConvCase& test, const Bytes& src, DType type, const Bytes& weights) {
  const std::vector<double> a = numbers(src, type), b = numbers(weights, DType::s8);
  std::vector<std::int32_t> sums(static_cast<std::size_t>(test.dst().count()));
  test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[d] += static_cast<std::int32_t>(a[s] * b[w]); });
  return sums;
}

Graph graph_of(const ConvCase& test, DType type) {
  return single(Op::conv2d, {test.src(), type}, {test.weights(), DType::s8}, test.conv, {test.dst(), DType::s32});
}

/// The same with codes clipped to [low, high], as a quantizer's graph has them: a range the kernels can find.
Graph clipped(const ConvCase& test, DType type, double low, double high) {
  const TensorType codes{test.src(), DType::f32}, number{{}, DType::f32};
  Graph graph;
  graph.nodes = {{Op::input, {}, Slot{0}, {codes}, "x"},
                 {Op::constant, {}, Number{low}, {number}, "low"},
                 {Op::maximum, {{0, 0}, {1, 0}}, Ties::half, {codes}, "max"},
                 {Op::constant, {}, Number{high}, {number}, "high"},
                 {Op::minimum, {{2, 0}, {3, 0}}, Ties::half, {codes}, "min"},
                 {Op::floor, {{4, 0}}, {}, {codes}, "floor"},
                 {Op::cast, {{5, 0}}, type, {{test.src(), type}}, "cast"},
                 {Op::input, {}, Slot{1}, {{test.weights(), DType::s8}}, "weights"},
                 {Op::conv2d, {{6, 0}, {7, 0}}, test.conv, {{test.dst(), DType::s32}}, "conv"}};
  return graph;
}

TEST(Integer, EqualsLoopsOverOddShapes) {
  unsigned seed = 1;
  for (const ConvCase& test : cases()) {
    for (const DType type : {DType::u8, DType::s8}) {
      const Bytes src =
          random_integers({test.src(), type}, type == DType::u8 ? 0 : -128, type == DType::u8 ? 255 : 127, seed++);
      const Bytes weights = random_integers({test.weights(), DType::s8}, -128, 127, seed++);
      const auto reference = expected(test, src, type, weights);
      for (const Implementation implementation : {Implementation::automatic, Implementation::own}) {
        if (implementation == Implementation::automatic && !library_has_integer_dot()) continue;  // the same
        for (const int threads : threads_of(seed / 2)) {
          Context context{.threads = threads, .implementation = implementation};
          ASSERT_EQ(as<std::int32_t>(run(graph_of(test, type), {src, weights}, context)), reference)
              << test.str() << " " << name_of(type) << ", threads " << threads;
        }
      }
    }
  }
}

std::vector<std::int32_t> expected_backward(const ConvCase& test, const Bytes& gradient, const Bytes& weights) {
  const std::vector<double> g = numbers(gradient, DType::s8), b = numbers(weights, DType::s8);
  std::vector<std::int32_t> sums(static_cast<std::size_t>(test.src().count()));
  test.for_each([&](std::int64_t s, std::int64_t w, std::int64_t d) { sums[s] += static_cast<std::int32_t>(g[d] * b[w]); });
  return sums;
}

Graph backward_of(const ConvCase& test) {
  return single(Op::conv2d_grad_src, {test.dst(), DType::s8}, {test.weights(), DType::s8}, Conv2dGrad{test.conv, test.src()},
                {test.src(), DType::s32});
}

TEST(Integer, BackwardDataEqualsLoopsOverOddShapes) {
  std::vector<ConvCase> all = cases();
  all.push_back({2, 9, 7, 5, 6, 2, 3, {.stride = {3, 2}, .padding = {{1, 2}, {1, 2}}}});  // taps that no pixel meets
  all.push_back({1, 8, 8, 3, 4, 1, 1, {.stride = {4, 4}}});                               // pixels that no tap meets
  all.push_back({1, 6, 6, 4, 4, 2, 2, {.padding = {{3, 3}, {3, 3}}}});                    // gradients that no pixel meets
  unsigned seed = 1;
  for (const ConvCase& test : all) {
    const Bytes gradient = random_integers({test.dst(), DType::s8}, -128, 127, seed++);
    const Bytes weights = random_integers({test.weights(), DType::s8}, -128, 127, seed++);
    const auto reference = expected_backward(test, gradient, weights);
    for (const Implementation implementation : {Implementation::automatic, Implementation::own}) {
      if (implementation == Implementation::automatic && !library_has_integer_dot()) continue;  // the same
      for (const int threads : threads_of(seed / 2)) {
        Context context{.threads = threads, .implementation = implementation};
        ASSERT_EQ(as<std::int32_t>(run(backward_of(test), {gradient, weights}, context)), reference)
            << test.str() << ", threads " << threads << ", "
            << make_matmul(backward_of(test), backward_of(test).nodes.back(), context)->implementation();
      }
    }
  }
}

TEST(Integer, BackwardDataIsExactAtTheExtremes) {
  for (const std::int64_t stride : {1, 2}) {
    const ConvCase test{1, 6, 6, 70, 40, 3, 3, {.stride = {stride, stride}, .padding = {{1, 1}, {1, 1}}}};
    for (const int code : {-128, 127}) {
      for (const int weight : {-128, 127}) {
        const Bytes gradient = random_integers({test.dst(), DType::s8}, code, code, 0);
        const Bytes weights = random_integers({test.weights(), DType::s8}, weight, weight, 0);
        for (const Implementation implementation : {Implementation::automatic, Implementation::own}) {
          Context context{.threads = 2, .implementation = implementation};
          EXPECT_EQ(as<std::int32_t>(run(backward_of(test), {gradient, weights}, context)),
                    expected_backward(test, gradient, weights))
              << code << " x " << weight << " stride " << stride;
        }
      }
    }
  }
}

TEST(Integer, IsExactAtTheExtremes) {
  const ConvCase test{1, 6, 6, 70, 40, 3, 3, {.padding = {{1, 1}, {1, 1}}}};
  for (const auto& [type, code] : {std::pair{DType::u8, 255}, {DType::s8, -128}, {DType::s8, 127}}) {
    for (const int weight : {-128, 127}) {
      const Bytes src = random_integers({test.src(), type}, code, code, 0);
      const Bytes weights = random_integers({test.weights(), DType::s8}, weight, weight, 0);
      for (const Implementation implementation : {Implementation::automatic, Implementation::own}) {
        Context context{.threads = 2, .implementation = implementation};
        EXPECT_EQ(as<std::int32_t>(run(graph_of(test, type), {src, weights}, context)), expected(test, src, type, weights))
            << code << " x " << weight;
      }
    }
  }
}

// Ranges known from the graph let 8-bit products be summed in 16 bits: at their ends nothing may overflow.
TEST(Integer, ClippedCodesAreExactAtTheExtremes) {
  for (const ConvCase& test :
       {ConvCase{2, 5, 5, 68, 40, 3, 3, {.padding = {{1, 1}, {1, 1}}}}, ConvCase{13, 4, 4, 256, 24, 1, 1, {}},
        ConvCase{5, 4, 4, 1500, 33, 1, 1, {}}, ConvCase{2, 9, 9, 3, 17, 7, 7, {.stride = {2, 2}, .padding = {{2, 2}, {3, 3}}}},
        ConvCase{2, 5, 5, 24, 36, 3, 3, {.padding = {{1, 1}, {1, 1}}, .groups = 3}}}) {
    for (const auto& [type, low, high] : {std::tuple{DType::u8, 0, 15},
                                          {DType::u8, 0, 31},
                                          {DType::u8, 0, 255},
                                          {DType::s8, -8, 7},
                                          {DType::s8, -1, 1},
                                          {DType::s8, -128, 127},
                                          {DType::s8, 0, 15}}) {
      for (const auto& [least, most] : {std::pair{-8, 7}, {-128, -128}, {127, 127}, {0, 0}, {-1, 1}}) {
        for (const bool ends : {true, false}) {
          const Bytes src = random_integers({test.src(), type}, ends ? high : low, high, 5);
          const Bytes weights = random_integers({test.weights(), DType::s8}, ends ? most : least, most, 6);
          Context context{.threads = ends ? 1 : 2, .implementation = Implementation::own};
          ASSERT_EQ(as<std::int32_t>(run(clipped(test, type, low, high), {src, weights}, context)),
                    expected(test, src, type, weights))
              << test.str() << " codes " << low << ".." << high << ", weights " << least << ".." << most;
        }
      }
    }
  }
}

TEST(Integer, TellsWhichLoopItTakes) {
  const ConvCase test{1, 4, 4, 16, 16, 1, 1, {}};
  Context context{.threads = 1, .implementation = Implementation::own};
  const auto name = [&](const Graph& graph) { return make_matmul(graph, graph.nodes.back(), context)->implementation(); };
  EXPECT_THAT(name(clipped(test, DType::u8, 0, 15)), HasSubstr("u8"));
  EXPECT_THAT(name(clipped(test, DType::u8, 0, 15)), Not(HasSubstr("s16")));
  EXPECT_THAT(name(graph_of(test, DType::u8)), HasSubstr("s16"));
  EXPECT_STREQ(make_matmul(graph_of(test, DType::u8), graph_of(test, DType::u8).nodes.back(), context)->kind(),
               "conv2d integer");
}

TEST(Integer, PacksConstantWeightsOnceAndKnowsItsLoop) {
  const ConvCase test{1, 4, 4, 16, 16, 1, 1, {}};
  Context context{.threads = 1, .implementation = Implementation::own};
  const auto name = [&](int high, int weight) {
    const Bytes weights = random_integers({test.weights(), DType::s8}, weight, weight, 1);
    const Graph graph = with_constant_weights(clipped(test, DType::u8, 0, high), {{}, weights});
    return make_matmul(graph, graph.nodes.back(), context)->implementation();
  };
  EXPECT_THAT(name(15, 7), AllOf(HasSubstr("own u8"), HasSubstr("packed once")));
  EXPECT_THAT(name(255, 1), AllOf(HasSubstr("own u8"), Not(HasSubstr("s16"))));
  EXPECT_THAT(name(255, 127), AllOf(HasSubstr("own s16"), Not(HasSubstr("u8"))));
}

// On every machine with small codes, which no 16-bit sum can overflow; with all codes, and signed ones (whose weights it halves
// otherwise), where oneDNN's arithmetic is exact.
TEST(Integer, LibraryAgrees) {
  for (const ConvCase& test : cases()) {
    for (const DType type : {DType::u8, DType::s8}) {
      const bool exact = library_has_integer_dot();
      if (type == DType::s8 && !exact) continue;
      const int low = type == DType::u8 ? 0 : exact ? -128 : -7, high = !exact ? 7 : type == DType::u8 ? 255 : 127;
      const Bytes src = random_integers({test.src(), type}, low, high, 3);
      const Bytes weights = random_integers({test.weights(), DType::s8}, exact ? -128 : -7, exact ? 127 : 7, 4);
      Context context{.threads = 1, .implementation = Implementation::library};
      ASSERT_EQ(as<std::int32_t>(run(graph_of(test, type), {src, weights}, context)), expected(test, src, type, weights))
          << test.str();
    }
  }
}

TEST(Integer, Dense) {
  for (const auto& [n, i, o] : {std::tuple{1, 1, 1}, {5, 17, 3}, {16, 256, 10}, {33, 1030, 100}, {2, 64, 64}}) {
    const ConvCase test{n, 1, 1, i, o, 1, 1, {}};
    for (const DType type : {DType::u8, DType::s8}) {
      const Graph graph = single(Op::dense, {{n, i}, type}, {{i, o}, DType::s8}, Dense{}, {{n, o}, DType::s32});
      const Bytes src = random_integers({{n, i}, type}, type == DType::u8 ? 0 : -128, type == DType::u8 ? 255 : 127, 7);
      const Bytes weights = random_integers({{i, o}, DType::s8}, -128, 127, 8);
      for (const int threads : {1, 2, 5}) {
        Context context{.threads = threads};
        EXPECT_EQ(as<std::int32_t>(run(graph, {src, weights}, context)), expected(test, src, type, weights));
      }
    }
  }
}

}  // namespace
}  // namespace qfw::cpu::test
