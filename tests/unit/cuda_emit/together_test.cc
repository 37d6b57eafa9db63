#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "cuda/backend.h"
#include "cuda/groups_kernel.h"
#include "emulated_device.h"
#include "emulation.h"
#include "recipes.h"
#include "support/replicas.h"

/// Groups that one launch computes, on the emulated device.
namespace qfw::cuda::testing {
namespace {

/// A group and what it is run on.
struct Member {
  explicit Member(const Graph& graph, const lowering::Group& of) : job(job_of(graph, of)) {}

  GroupCode code() const { return {job.program, dtypes(job.inputs), dtypes(job.outputs)}; }
  std::int64_t elements() const {
    std::int64_t most = 0;
    for (const TensorType& type : job.inputs) most = std::max(most, type.shape.count());
    return most;
  }

  Job job;
  std::vector<Memory> inputs;
};

class Together : public ::testing::Test {
 protected:
  /// The outputs of all, from one kernel that has their operands one after the other.
  std::vector<Memory> run(Kernel& kernel, const std::vector<const Member*>& members) {
    Device& device = context_.device();
    std::deque<DeviceMemory> memory;
    std::vector<const std::byte*> inputs;
    std::vector<Address> outputs;
    std::vector<Memory> results;
    for (const Member* member : members) {
      for (const Memory& input : member->inputs) {
        inputs.push_back(memory.emplace_back(device, input.size()).data());
        context_.write(memory.back().data(), input);
      }
      for (const TensorType& type : member->job.outputs) {
        outputs.push_back(memory.emplace_back(device, type.bytes()).data());
        results.emplace_back(type.bytes());
        context_.write(outputs.back(), results.back());  // what the program does not write is the same each time
      }
    }
    const DeviceMemory scratch(device, kernel.scratch_bytes());
    kernel.point(inputs, outputs, scratch.data());
    kernel.enqueue(inputs, outputs, scratch.data());
    for (std::size_t i = 0; i < results.size(); ++i) {
      device.copy_out(Stream::compute, results[i].data(), outputs[i], results[i].size());
    }
    device.synchronize(Stream::compute);
    return results;
  }

  /// Those of each by itself.
  std::vector<Memory> run_alone(const std::vector<std::unique_ptr<Kernel>>& kernels,
                                const std::vector<const Member*>& members) {
    std::vector<Memory> all;
    for (std::size_t m = 0; m < members.size(); ++m) {
      for (Memory& result : run(*kernels[m], {members[m]})) all.push_back(std::move(result));
    }
    return all;
  }

  void expect_equal_bits(std::vector<std::vector<Member>>& classes);

  Context context_{emulated::make_device(), Launching::direct};
};

/// Of a recipe, by its kernels; of each sequence of them a few that differ in extents.
std::map<std::string, std::vector<Member>> members_of(const std::string& recipe) {
  constexpr std::size_t most = 4;
  constexpr std::int64_t large = 20000;  // for an emulation
  std::map<std::string, std::vector<Member>> all;
  std::set<std::string> met;
  for_each_group(recipe, true, [&](const Graph& graph, const lowering::Step& step) {
    const lowering::Group& group = *step.group;
    if (!met.insert(lowering::to_string(lowering::program_of(graph, group))).second) return;
    Member member(graph, group);
    std::vector<Member>& same = all[member.code().names()];
    if (same.size() < most && member.elements() <= large) same.push_back(std::move(member));
  });
  std::erase_if(all, [](const auto& each) { return each.second.size() < 2; });
  return all;
}

/// Members of one class are run alone, then together in several orders of threads.
void Together::expect_equal_bits(std::vector<std::vector<Member>>& classes) {
  std::mt19937 random(3);
  struct Pair {
    std::vector<const Member*> members;
    std::vector<std::unique_ptr<Kernel>> alone;
    std::unique_ptr<Kernel> together;
  };
  std::vector<Pair> pairs;
  for (std::vector<Member>& members : classes) {
    Pair pair;
    std::vector<GroupCode> codes;
    for (Member& member : members) {
      member.inputs = inputs_of(member.job, random, false);
      pair.members.push_back(&member);
      pair.alone.push_back(std::make_unique<GroupKernel>(member.code(), context_));
      codes.push_back(member.code());
      EXPECT_EQ(codes.back().names(), codes.front().names());
    }
    pair.together = make_groups(std::move(codes), context_);
    pairs.push_back(std::move(pair));
  }
  context_.loader().load();
  for (const Pair& pair : pairs) {
    SCOPED_TRACE(lowering::to_string(pair.members.front()->job.program));
    const std::vector<Memory> expected = run_alone(pair.alone, pair.members);
    for (std::size_t order = 0; order < emulated::schedules.size(); ++order) {  // each launch takes the next one
      ASSERT_EQ(run(*pair.together, pair.members), expected);
    }
  }
}

TEST_F(Together, GroupsHaveTheBitsTheyHaveAlone) {
  std::vector<std::vector<Member>> classes;
  int reductions = 0, several = 0;
  for (auto& [names, members] : members_of("resnet50_w4a4.ini")) {
    reductions += members.front().job.program.reductions.empty() ? 0 : 1;
    several += members.front().job.emitted.launches.size() > 1 ? 1 : 0;
    classes.push_back(std::move(members));
  }
  EXPECT_GT(classes.size(), 20u);
  EXPECT_GE(reductions, 5);
  EXPECT_GE(several, 2) << "with partial results in memory of their own";
  expect_equal_bits(classes);
}

/// Blocks of few threads beside blocks of many: those that a member does not have add nothing to its sums.
TEST_F(Together, SumsAreThoseOfTheOwnThreads) {
  std::vector<std::vector<Member>> classes;
  for (const std::vector<Shape>& shapes :
       {std::vector<Shape>{{3, 8}, {100, 16}, {1, 12}, {60, 20}}, {{3000, 20}, {5000, 16}}}) {
    for (const Op op : {Op::sum, Op::moments}) {
      for (const bool by_channel : {true, false}) {
        if (op == Op::moments && !by_channel) continue;
        std::vector<Member>& members = classes.emplace_back();
        for (const Shape& shape : shapes) {
          cpu::testing::Maker m;
          m.graph.summation = Summation::free;
          const Use x = m.input(shape);
          const Shape to = by_channel ? Shape{shape.channels()} : Shape{};
          const Use made = op == Op::sum ? m.add(op, {x}, Reduce{to}) : m.add(op, {x});
          m.fetch(made);
          members.emplace_back(m.graph, lowering::group_of(m.graph, made.node));
        }
      }
    }
  }
  expect_equal_bits(classes);
}

TEST_F(Together, AnOutputLiesOverNoInputOfAnother) {
  cpu::testing::Maker m;
  for (const std::int64_t n : {100, 300}) m.fetch(m.add(Op::relu, {m.input({n})}));
  const Member first(m.graph, lowering::group_of(m.graph, m.graph.fetches[0].use.node));
  const Member second(m.graph, lowering::group_of(m.graph, m.graph.fetches[1].use.node));
  std::vector<GroupCode> codes;
  codes.push_back(first.code());
  codes.push_back(second.code());
  ASSERT_EQ(codes[0].names(), codes[1].names());
  const auto kernel = make_groups(std::move(codes), context_);
  for (const int input : {0, 1}) {
    for (const int output : {0, 1}) EXPECT_EQ(kernel->in_place(input, output), input == output) << input << output;
  }
}

/// More than 4 KB of addresses and numbers.
TEST_F(Together, OneOfMoreOperandsThanALaunchHasParametersReadsThemFromMemory) {
  cpu::testing::Maker m;
  Use sum = m.number(0);
  for (int i = 0; i < 300; ++i) sum = m.add(Op::add, {m.add(Op::multiply, {m.input({37}), m.number(1 + i / 1024.0)}), sum});
  m.fetch(sum);
  const std::vector<lowering::Item> items = lowering::group_nodes(m.graph, target());
  const auto group = std::ranges::find_if(items, [](const auto& item) { return item.group.has_value(); });
  ASSERT_NE(group, items.end());
  Member member(m.graph, *group->group);
  ASSERT_EQ(member.job.inputs.size(), 300u);
  std::mt19937 random(1);
  member.inputs = inputs_of(member.job, random, false);
  const auto kernel = make_group(m.graph, *group->group, context_);
  EXPECT_THAT(kernel->implementation(), ::testing::StartsWith("operands in a table; "));
  context_.loader().load();
  const std::vector<Memory> found = run(*kernel, {&member}),
                            expected = interpreted(member.job.program, member.job, member.inputs);
  EXPECT_EQ(first_difference(member.job.outputs[0], expected[0], found[0]), -1);
}

/// A step that adds `x`, or their largest element where that is less, to several states that shrink: these maxima lie in the
/// arena.
class Sums {
 public:
  explicit Sums(bool large) {
    GraphBuilder g({.training = true});
    const Value x = g.input("x", {{}, DType::f32}, true);
    const auto scope = g.scope("layer");
    for (const std::int64_t n : sizes) {
      const Value state = g.state("s" + std::to_string(n), {n});
      g.assign(state, state * 0.875 + minimum(reduce_max(state), x));
    }
    if (large) g.fetch("wide", sqrt(g.state("wide", {100000})));
    graph = finish(g.graph());
  }

  static constexpr std::array<std::int64_t, 5> sizes{5, 64, 300, 400, 7};
  Graph graph;
};

TEST(TogetherInAStep, AddressesAreTakenAnewWhenMemoryMoves) {
  for (const std::string launch : {"recorded", "direct", "checked"}) {
    CudaBackend::Options options;
    options.launch = launch;
    CudaBackend backend(options, [](const CudaBackend::Options&) { return emulated::make_device(); });
    test::EqualReplicas alone;
    const Sums sums(false), more(true);
    const auto step = backend.compile(sums.graph, alone);
    const std::vector<Executable::Task> tasks = step->tasks();
    const auto together = [](const Executable::Task& task) { return task.implementation.find(" groups at once, ") == 1; };
    EXPECT_EQ(std::ranges::count_if(tasks, together), 4) << "of maxima and sums, for sizes that vectors divide and for others";
    EXPECT_LE(tasks.size(), 5u);
    std::set<int> nodes, told;
    const auto computes = [&](int node) {
      const OpClass op_class = class_of(sums.graph.nodes[node].op);
      return op_class == OpClass::elementwise || op_class == OpClass::reduction;
    };
    for (int i = 0; i < static_cast<int>(sums.graph.nodes.size()); ++i) {
      if (computes(i)) nodes.insert(i);
    }
    for (const Executable::Task& task : tasks) {
      EXPECT_TRUE(std::ranges::is_sorted(task.nodes));
      for (const int node : task.nodes) {
        if (computes(node)) told.insert(node);
      }
    }
    EXPECT_EQ(told, nodes);
    const auto state = [](std::int64_t n) { return "layer/s" + std::to_string(n); };
    for (const std::int64_t n : Sums::sizes) {
      const std::vector<float> values(static_cast<std::size_t>(n), static_cast<float>(n));
      backend.write(state(n), {{{n}, DType::f32}, std::as_bytes(std::span(values))});
    }
    const float x = 3;
    const std::vector<HostView> feeds{{{{}, DType::f32}, std::as_bytes(std::span(&x, 1))}};
    std::map<std::int64_t, float> expected;
    for (const std::int64_t n : Sums::sizes) expected[n] = static_cast<float>(n);
    const auto run = [&](int index) {
      step->run({.index = index}, feeds, {});
      for (auto& [n, value] : expected) {
        value = value * 0.875F + std::min(value, x);
        std::vector<float> found(static_cast<std::size_t>(n));
        backend.read(state(n), {{{n}, DType::f32}, std::as_writable_bytes(std::span(found))});
        EXPECT_THAT(found, ::testing::Each(value)) << launch << " step " << index << " state " << n;
      }
    };
    run(0);
    run(1);
    const auto larger = backend.compile(more.graph, alone);  // the arena grows, and moves
    EXPECT_GT(larger->arena_bytes(), step->arena_bytes());
    run(2);
  }
}

}  // namespace
}  // namespace qfw::cuda::testing
