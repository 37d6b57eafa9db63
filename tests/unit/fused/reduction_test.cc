#include <gtest/gtest.h>

#include "graph_maker.h"

namespace qfw::cpu::testing {
namespace {

const std::vector<Shape> shapes{{2, 3, 5, 40}, {257, 3}, {1, 1037}, {40, 700}, {3, 33, 31, 16}, {64, 1}, {5}, {2, 28, 28, 64}};

std::vector<Shape> results_of(const Shape& shape) {
  std::vector<Shape> results{{}, {shape.channels()}};
  if (shape.rank() == 2) results.push_back({shape[0], 1});
  if (shape.rank() == 4)
    results.insert(results.end(), {{1, 1, shape[2], 1}, {shape[0], 1, 1, shape[3]}, {1, shape[1], 1, 1}, {shape[0], 1, 1, 1}});
  return results;
}

void expect_near(const TensorType& type, const Memory& expected, const Memory& found, double scale, const std::string& what) {
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    const float a = element(expected, type.dtype, i), b = element(found, type.dtype, i);
    ASSERT_NEAR(a, b, scale * 2e-6 + std::abs(a) * 2e-6) << what << " element " << i;
  }
}

/// Sums, extremes and moments against the reference: equal bits where the graph sums in order; close, and equal between one and
/// two threads, where it does not.
TEST(Reduction, EqualsReference) {
  std::mt19937 random(3);
  for (const Summation summation : {Summation::in_order, Summation::free}) {
    for (const Shape& shape : shapes) {
      for (const Shape& to : results_of(shape)) {
        for (const DType dtype : {DType::f32, DType::bf16}) {
          Maker m;
          m.graph.summation = summation;
          const Use x = m.input(shape, dtype), y = m.input(Shape{shape.channels()}, dtype);
          const Use product = m.add(Op::multiply, {x, y});
          for (const Op op : {Op::sum, Op::reduce_max, Op::reduce_min}) {
            m.fetch(m.add(op, {product}, Reduce{to}));
            m.fetch(m.add(op, {x}, Reduce{to}));
          }
          if (shape.rank() > 1) {
            const Use mean = m.add(Op::moments, {product});
            m.fetch(mean);
            m.fetch({mean.node, 1});
          }
          const Tensors sources = random_sources(m.graph, random);
          const Tensors expected = evaluate_all(m.graph, sources);
          const auto plan = lowering::group_nodes(m.graph, target());
          const Tensors found = run_plan(m.graph, plan, 1, sources), again = run_plan(m.graph, plan, 2, sources);
          for (const Fetch& fetch : m.graph.fetches) {
            const std::pair key{fetch.use.node, fetch.use.output};
            const std::string what =
                std::string(name_of(m.graph.nodes[fetch.use.node].op)) + " " + shape.str() + " to " + to.str();
            const TensorType& type = m.graph.type(fetch.use);
            ASSERT_EQ(found.at(key), again.at(key)) << what;
            const Op op = m.graph.nodes[fetch.use.node].op;
            if (summation == Summation::in_order || op == Op::reduce_max || op == Op::reduce_min) {
              ASSERT_EQ(first_difference(type, expected.at(key), found.at(key)), -1) << what;
            } else {
              const double terms =
                  static_cast<double>(shape.count()) / static_cast<double>(std::max<std::int64_t>(1, to.count()));
              expect_near(type, expected.at(key), found.at(key), op == Op::sum ? 4 * std::sqrt(terms) : 16, what);
            }
          }
        }
      }
    }
  }
}

TEST(Reduction, NanWins) {
  for (const std::int64_t at : {0, 17, 3999}) {
    Maker m;
    const Use x = m.input({100, 40});
    for (const Op op : {Op::reduce_max, Op::reduce_min, Op::sum}) {
      m.fetch(m.add(op, {x}, Reduce{{}}));
      m.fetch(m.add(op, {x}, Reduce{{40}}));
    }
    std::mt19937 random(4);
    Tensors sources = random_sources(m.graph, random);
    const float nan = NAN;
    std::memcpy(sources.begin()->second.data() + at * 4, &nan, 4);
    const Tensors found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 1, sources);
    for (const Fetch& fetch : m.graph.fetches) {
      const bool one = m.graph.type(fetch.use).shape.rank() == 0;
      for (std::int64_t i = 0; i < (one ? 1 : 40); ++i) {
        EXPECT_EQ(std::isnan(element(found.at({fetch.use.node, 0}), DType::f32, i)), one || i == at % 40)
            << fetch.name << " " << i;
      }
    }
  }
}

/// Whatever the number and how often: chunks, lanes and rows that are short included.
TEST(Moments, EqualNumbersHaveNoVariance) {
  for (const Summation summation : {Summation::free, Summation::in_order}) {
    for (const Shape& shape : {Shape{100000, 3}, Shape{4099, 40}, Shape{777, 256}, Shape{300000, 1}, Shape{7, 5000}}) {
      for (const float number : {0.1f, -3e7f, 1e-20f, 16777217.0f, 0.0f}) {
        Maker m;
        m.graph.summation = summation;
        const Use x = m.input(shape);
        const Use mean = m.add(Op::moments, {x});
        m.fetch(mean);
        m.fetch({mean.node, 1});
        Tensors sources;
        Memory& memory = sources[{x.node, 0}];
        memory.resize(static_cast<std::size_t>(shape.count()) * sizeof(float));
        for (std::int64_t i = 0; i < shape.count(); ++i) std::memcpy(memory.data() + i * 4, &number, 4);
        const Tensors found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 2, sources);
        for (std::int64_t c = 0; c < shape.channels(); ++c) {
          ASSERT_EQ(element(found.at({mean.node, 0}), DType::f32, c), number) << shape.str();
          ASSERT_EQ(element(found.at({mean.node, 1}), DType::f32, c), 0) << shape.str();
        }
      }
    }
  }
}

/// A first element that is not finite is no pivot: the mean is infinite, the variance not a number, as everywhere.
TEST(Moments, OfInfiniteNumbers) {
  for (const float first : {INFINITY, -INFINITY, NAN}) {
    Maker m;
    const Use x = m.input({1000, 2});
    const Use mean = m.add(Op::moments, {x});
    m.fetch(mean);
    m.fetch({mean.node, 1});
    std::mt19937 random(6);
    Tensors sources = random_sources(m.graph, random);
    std::memcpy(sources.at({x.node, 0}).data(), &first, 4);
    const Tensors found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 1, sources);
    const float got = element(found.at({mean.node, 0}), DType::f32, 0);
    EXPECT_TRUE(std::isnan(first) ? std::isnan(got) : got == first) << got;
    EXPECT_TRUE(std::isnan(element(found.at({mean.node, 1}), DType::f32, 0)));
    EXPECT_TRUE(std::isfinite(element(found.at({mean.node, 1}), DType::f32, 1)));
  }
}

/// Far from 0 the difference of squares needs sums that keep their digits.
TEST(Moments, KeepDigits) {
  Maker m;
  const Use x = m.input({200000, 8});
  const Use mean = m.add(Op::moments, {x});
  m.fetch(mean);
  m.fetch({mean.node, 1});
  std::mt19937 random(5);
  std::normal_distribution<float> normal(20.0f, 1.0f);
  Memory memory(200000 * 8 * 4);
  for (int i = 0; i < 1600000; ++i) {
    const float value = normal(random);
    std::memcpy(memory.data() + 4 * i, &value, 4);
  }
  Tensors sources;
  sources[{x.node, 0}] = memory;
  const Tensors expected = evaluate_all(m.graph, sources),
                found = run_plan(m.graph, lowering::group_nodes(m.graph, target()), 2, sources);
  for (int c = 0; c < 8; ++c) {
    EXPECT_NEAR(element(found.at({mean.node, 0}), DType::f32, c), element(expected.at({mean.node, 0}), DType::f32, c), 1e-5);
    EXPECT_NEAR(element(found.at({mean.node, 1}), DType::f32, c), element(expected.at({mean.node, 1}), DType::f32, c), 1e-4);
  }
}

}  // namespace
}  // namespace qfw::cpu::testing
