#include "cuda/emit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulation.h"
#include "unit/fused/random_graph.h"

namespace qfw::cuda::testing {
namespace {

using cpu::testing::Maker;

/// random_graph, and what it lacks: other ops, integers, sums and moments.
Maker any_graph(unsigned seed) {
  Maker m = cpu::testing::random_graph(seed);
  std::mt19937 random(seed);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  const auto some = [&] {
    for (;;) {
      const auto node = static_cast<int>(below(m.graph.nodes.size()));
      const bool is_source = class_of(m.graph.nodes[node].op) == OpClass::source && m.graph.nodes[node].op != Op::input;
      if (!is_source && is_float(m.graph.nodes[node].outputs[0].dtype)) return Use{node, 0};
    }
  };
  const auto above = [&](Use x, double low) { return m.add(Op::maximum, {x, m.number(low)}, Ties::half); };
  const auto between = [&](Use x, double low, double high) {
    return m.add(Op::minimum, {above(x, low), m.number(high)}, Ties::half);
  };
  for (int i = 0; i < 6; ++i) {
    const Use x = some();
    const Shape shape = m.graph.type(x).shape;
    Use made = x;
    switch (below(9)) {
      case 0:
        made = m.add(Op::divide, {x, above(m.add(Op::abs, {x}), 0.25)});
        break;
      case 1:
        made = m.add(Op::sqrt, {x});
        break;
      case 2:
        made = m.add(Op::exp, {x});
        break;
      case 3:
        made = m.add(Op::log, {x});
        break;
      case 4:
        made = m.add(Op::add, {m.add(Op::is_finite, {x}), m.add(Op::less_equal, {x, m.number(0.5)})});
        break;
      case 5: {
        const Use codes = m.cast(m.add(Op::round_even, {between(x, 0, 255)}), DType::u8);
        m.fetch(codes);
        made = m.add(Op::multiply, {m.cast(codes, DType::f32), m.number(1.0 / 3)});
        break;
      }
      case 6: {
        const Use codes = m.cast(m.add(Op::floor, {between(x, -128, 127)}), DType::s8);
        m.fetch(codes);
        made = m.cast(m.cast(codes, DType::s32), DType::bf16);
        break;
      }
      case 7: {
        const Use words = m.cast(m.add(Op::floor, {m.add(Op::multiply, {x, m.number(1000)})}), DType::s32);
        m.fetch(words);
        made = m.cast(words, DType::f32);
        break;
      }
      default:
        made = m.add(Op::add, {m.cast(m.input(shape, std::array{DType::s32, DType::s8, DType::u8}[below(3)]), DType::f32), x});
    }
    if (below(2) == 0) m.fetch(made);
    const Shape to = shape.rank() == 4 && below(2) == 0   ? Shape{shape[0], 1, 1, below(2) == 0 ? shape[3] : 1}
                     : shape.rank() == 4 && below(4) == 0 ? Shape{1, 1, shape[2], 1}
                     : shape.rank() > 0 && below(2) == 0  ? Shape{shape.channels()}
                                                          : Shape{};
    if (to != shape) m.fetch(m.add(Op::sum, {made}, Reduce{to}));
    if (shape.rank() > 1 && below(2) == 0) {
      const Use moments = m.add(Op::moments, {made});
      m.fetch(moments);
      m.fetch({moments.node, 1});
    }
  }
  return m;
}

std::vector<Job> jobs_of(const Graph& graph) {
  std::vector<Job> jobs;
  for (const lowering::Item& item : lowering::group_nodes(graph, cpu::target())) {
    if (item.group) jobs.push_back(job_of(graph, *item.group));
  }
  return jobs;
}

/// All at once; a failure names the graph.
void expect_right(const std::vector<std::pair<std::string, std::vector<Job>>>& graphs) {
  Kernels kernels;
  for (const auto& [name, jobs] : graphs) {
    for (const Job& job : jobs) kernels.add(job.emitted);
  }
  kernels.compile();
  std::mt19937 random(7);
  for (const auto& [name, jobs] : graphs) {
    for (const Job& job : jobs) {
      SCOPED_TRACE(name + "\n" + lowering::to_string(job.program));
      expect_right(kernels, job, random);
      if (::testing::Test::HasFatalFailure()) return;
    }
  }
}

class RandomGroups : public ::testing::TestWithParam<unsigned> {};

TEST_P(RandomGroups, EqualInterpreter) {
  std::vector<std::pair<std::string, std::vector<Job>>> graphs;
  std::size_t groups = 0;
  for (unsigned seed = GetParam(); groups < 260; seed += 4) {
    graphs.emplace_back("seed " + std::to_string(seed), jobs_of(any_graph(seed).graph));
    groups += graphs.back().second.size();
  }
  expect_right(graphs);
}

INSTANTIATE_TEST_SUITE_P(Quarter, RandomGroups, ::testing::Range(0u, 4u));

/// Shapes of all kinds of trees: pieces, several columns of blocks, rests of vectors, images kept.
TEST(Reductions, EqualInterpreter) {
  const std::vector<Shape> shapes{{2, 3, 5, 40}, {257, 3},   {1, 1037},       {10, 2100},     {3, 13, 11, 16}, {64, 1},
                                  {5},           {3000, 24}, {2, 5, 5, 1037}, {2, 9, 9, 264}, {7000}};
  std::vector<std::pair<std::string, std::vector<Job>>> graphs;
  for (const Summation summation : {Summation::in_order, Summation::free}) {
    for (const Shape& shape : shapes) {
      std::vector<Shape> results{{}, {shape.channels()}};
      if (shape.rank() == 2) results.push_back({shape[0], 1});
      if (shape.rank() == 4) {
        results.push_back({1, 1, shape[2], 1});
        results.push_back({1, shape[1], 1, 1});
        results.push_back({shape[0], 1, 1, shape[3]});
        results.push_back({shape[0], 1, 1, 1});
        results.push_back({shape[0], shape[1], 1, 1});
      }
      for (const DType dtype : {DType::f32, DType::bf16}) {
        Maker m;
        m.graph.summation = summation;
        const Use x = m.input(shape, dtype), y = m.input(Shape{shape.channels()}, dtype);
        const Use product = m.add(Op::multiply, {x, y});
        for (const Shape& to : results) {
          for (const Op op : {Op::sum, Op::reduce_max, Op::reduce_min}) {
            if (to != shape) m.fetch(m.add(op, {product}, Reduce{to}));
          }
          if (to != shape) m.fetch(m.add(Op::sum, {x}, Reduce{to}));
        }
        if (shape.rank() > 1) {
          const Use moments = m.add(Op::moments, {product});
          m.fetch(moments);
          m.fetch({moments.node, 1});
        }
        m.fetch(product);
        graphs.emplace_back(shape.str() + " " + name_of(dtype), jobs_of(m.graph));
        if (dtype == DType::f32) continue;  // each alone, too
        Graph alone = m.graph;
        for (const Fetch& fetch : m.graph.fetches) {
          alone.fetches = {fetch};
          if (class_of(alone.nodes[fetch.use.node].op) != OpClass::reduction) continue;
          graphs.emplace_back(shape.str() + " alone", std::vector{job_of(alone, lowering::group_of(alone, fetch.use.node))});
        }
      }
    }
  }
  expect_right(graphs);
}

Job moments_of(const Shape& shape, DType dtype = DType::f32) {
  Maker m;
  m.graph.summation = Summation::free;
  const Use moments = m.add(Op::moments, {m.input(shape, dtype)});
  m.fetch(moments);
  m.fetch({moments.node, 1});
  return jobs_of(m.graph).front();
}

Memory floats(std::int64_t count, const std::function<float()>& make) {
  Memory memory(static_cast<std::size_t>(count) * sizeof(float));
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = make();
    std::memcpy(memory.data() + i * 4, &x, 4);
  }
  return memory;
}

TEST(Moments, EqualNumbersHaveNoVariance) {
  std::vector<Job> jobs;
  Kernels kernels;
  for (const Shape& shape : {Shape{20000, 3}, Shape{4099, 40}, Shape{777, 256}, Shape{30000, 1}, Shape{7, 5000}}) {
    jobs.push_back(moments_of(shape));
    kernels.add(jobs.back().emitted);
  }
  kernels.compile();
  for (const Job& job : jobs) {
    const std::int64_t results = job.program.reductions[0].results;
    for (const float number : {0.1f, -3e7f, 1e-20f, 16777217.0f, 0.0f}) {
      const std::vector<Memory> inputs{floats(job.inputs[0].shape.count(), [&] { return number; })};
      const std::vector<Memory> found = kernels.run(job, inputs, Schedule::in_step);
      for (std::int64_t i = 0; i < results; ++i) {
        ASSERT_EQ(element(found[0], DType::f32, i), number) << job.inputs[0].str();
        ASSERT_EQ(element(found[1], DType::f32, i), 0) << job.inputs[0].str();
      }
    }
  }
}

/// As near to the truth as cpu's.
TEST(Moments, AFarMeanCostsNoDigits) {
  const Job job = moments_of({9000, 24});
  Kernels kernels;
  kernels.add(job.emitted);
  kernels.compile();
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const float mean : {0.0f, 1.0f, 1000.0f, -30000.0f}) {
    const std::vector<Memory> inputs{floats(job.inputs[0].shape.count(), [&] { return mean + normal(random); })};
    const Bounds bounds = bounds_of(job, inputs);
    const std::vector<Memory> found = kernels.run(job, inputs, Schedule::in_step), cpu = interpreted(job.program, job, inputs);
    double own = 0, other = 0;
    for (std::int64_t i = 0; i < 24; ++i) {
      for (const int output : {0, 1}) {
        const double exact = element(bounds.exact[output], DType::f32, i);
        own = std::max(own, std::abs(element(found[output], DType::f32, i) - exact) / std::abs(exact));
        other = std::max(other, std::abs(element(cpu[output], DType::f32, i) - exact) / std::abs(exact));
      }
    }
    EXPECT_LT(own, 2 * other + 2 * ulp) << mean;
  }
}

/// Normalise, add, ReLU and quantize, and both sums of its gradient.
Graph normalised(const Shape& shape, DType dtype = DType::bf16) {
  Maker m;
  m.graph.summation = Summation::free;
  const Shape channels{shape.channels()};
  const Use x = m.input(shape, dtype), mean = m.input(channels), scale = m.input(channels), shift = m.input(channels);
  const Use wide = dtype == DType::f32 ? x : m.cast(x, DType::f32);
  const Use y = m.add(Op::add, {m.add(Op::multiply, {m.add(Op::subtract, {wide, mean}), scale}), shift});
  const Use r = m.add(Op::relu, {m.add(Op::add, {m.cast(y, DType::bf16), m.input(shape, DType::bf16)})});
  m.fetch(r);
  const Use steps = m.add(Op::floor, {m.add(Op::multiply, {m.cast(r, DType::f32), m.input(Shape{})})});
  const Use low = m.add(Op::maximum, {steps, m.number(0)}, Ties::half);
  m.fetch(m.cast(m.add(Op::minimum, {low, m.number(255)}, Ties::half), DType::u8));
  m.fetch(m.add(Op::sum, {y}, Reduce{channels}));
  m.fetch(m.add(Op::multiply, {y, m.number(1.0 / static_cast<double>(shape.count() / shape.channels()))}));
  return m.graph;
}

std::vector<std::string> names_of(const Graph& graph) {
  std::vector<std::string> names;
  for (const Job& job : jobs_of(graph)) {
    for (const EmittedLaunch& launch : job.emitted.launches) names.push_back(launch.source.name);
  }
  return names;
}

TEST(Texts, DoNotKnowExtents) {
  const auto names = names_of(normalised({256, 56, 56, 64}));
  EXPECT_FALSE(names.empty());
  EXPECT_EQ(names, names_of(normalised({256, 7, 7, 2048})));
  EXPECT_EQ(names, names_of(normalised({32, 28, 28, 512})));
  EXPECT_NE(names, names_of(normalised({32, 28, 28, 510})));  // no whole vectors
  EXPECT_NE(names, names_of(normalised({256, 56, 56, 64}, DType::f32)));
  EXPECT_NE(names, names_of(normalised({1024, 128, 128, 256})));  // beyond 32 bits
}

TEST(Texts, NamesAreOfTexts) {
  std::map<std::string, std::string> texts;
  for (unsigned seed = 0; seed < 40; ++seed) {
    for (const Job& job : jobs_of(any_graph(seed).graph)) {
      for (const EmittedLaunch& launch : job.emitted.launches) {
        const auto [at, fresh] = texts.try_emplace(launch.source.name, launch.source.text);
        ASSERT_EQ(at->second, launch.source.text);
      }
    }
  }
  std::set<std::string> different;
  for (const auto& [name, text] : texts) {
    std::string nameless = text;
    nameless.replace(nameless.find(name), name.size(), "");
    EXPECT_TRUE(different.insert(nameless).second) << "two names for\n" << text;
  }
}

/// Indices of 64 bits, as spaces that no test can hold have them.
TEST(Wide, EqualInterpreter) {
  std::vector<std::pair<std::string, std::vector<Job>>> graphs;
  for (unsigned seed = 0; seed < 10; ++seed) {
    std::vector<Job> jobs = jobs_of(any_graph(seed).graph);
    for (Job& job : jobs) {
      Layout layout = layout_of(job.program);
      layout.wide = true;
      job.emitted = emit(job.program, dtypes(job.inputs), dtypes(job.outputs), layout);
    }
    graphs.emplace_back("seed " + std::to_string(seed), std::move(jobs));
  }
  expect_right(graphs);
}

TEST(Divisors, DivideAllNumbersBelow2To31) {
  const auto quotient = [](std::uint32_t n, std::int64_t divisor) {
    const auto multiplier = static_cast<std::uint32_t>(divisor);
    const std::uint64_t sum = (std::uint64_t{n} * multiplier >> 32) + n;
    EXPECT_LT(sum, std::uint64_t{1} << 32);
    return static_cast<std::uint32_t>(sum) >> (divisor >> 32);
  };
  std::mt19937 random(1);
  for (std::uint32_t i = 1; i < 3000; ++i) {
    const std::uint32_t d = i < 1000 ? i : i < 2000 ? 1 + (random() >> 1) : 0x7fffffff - (i - 2000);
    const std::int64_t divisor = divisor_of(d, false);
    for (int k = 0; k < 40; ++k) {
      const std::uint64_t near = std::uint64_t{d} * (random() % (0x7fffffff / d + 1)) + static_cast<std::uint64_t>(k % 3) - 1;
      for (const std::uint64_t n : {near, std::uint64_t{random() >> 1}, std::uint64_t{0x7fffffff}, std::uint64_t{0}}) {
        if (n > 0x7fffffff) continue;
        ASSERT_EQ(quotient(static_cast<std::uint32_t>(n), divisor), n / d) << n << " / " << d;
      }
    }
  }
}

TEST(Overwriting, OnlyWhatAThreadReadsAloneAndInPlace) {
  Maker m;
  const Use x = m.input({64, 8, 8, 16}), row = m.input({16}), narrow = m.input({64, 8, 8, 16}, DType::bf16);
  const Use image = m.input({64, 1, 1, 16});
  m.fetch(m.add(Op::add, {m.add(Op::add, {m.add(Op::add, {x, row}), m.cast(narrow, DType::f32)}), image}));
  m.fetch(m.add(Op::reduce_max, {x}, Reduce{{16}}));
  const Job job = jobs_of(m.graph).front();
  const int output = job.program.stores[0].output;
  std::vector<bool> may;
  for (int i = 0; i < static_cast<int>(job.inputs.size()); ++i) may.push_back(may_overwrite(job.program, i, output));
  for (std::size_t i = 0; i < may.size(); ++i) {
    EXPECT_EQ(may[i], job.inputs[i] == (TensorType{{64, 8, 8, 16}, DType::f32})) << job.inputs[i].str();
  }
  EXPECT_FALSE(may_overwrite(job.program, 0, job.program.reductions[0].output));
}

}  // namespace
}  // namespace qfw::cuda::testing
