#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include "support.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<long> allocations{0};
std::atomic<long> bytes{0};

void* take(std::size_t size, std::size_t alignment) {
  if (counting) {
    ++allocations;
    bytes += static_cast<long>(size);
  }
  void* memory = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

}  // namespace

// Of the whole process: the library of oneDNN included.
void* operator new(std::size_t size) { return take(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) { return take(size, static_cast<std::size_t>(alignment)); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  try {
    return take(size, alignof(std::max_align_t));
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace qfw::cpu {
namespace {

struct Counted {
  long allocations, bytes;
};

Counted count_in_run(const Graph& graph) {
  CpuBackend backend({.threads = 2});
  EqualReplicas replicas;
  const auto executable = backend.compile(graph, replicas);
  for (const Variable& variable : graph.variables) {
    const std::vector<float> ones(static_cast<std::size_t>(variable.type.shape.count()), 1);
    backend.write(variable.name, view(variable.type, ones));
  }
  std::vector<std::vector<float>> feeds, results;
  std::vector<HostView> views;
  std::vector<HostTensor> places;
  for (const Input& input : graph.inputs) feeds.emplace_back(static_cast<std::size_t>(input.type.shape.count()), 1);
  for (std::size_t i = 0; i < feeds.size(); ++i) views.push_back(view(graph.inputs[i].type, feeds[i]));
  for (const Fetch& fetch : graph.fetches) results.emplace_back(static_cast<std::size_t>(graph.type(fetch.use).shape.count()));
  for (std::size_t i = 0; i < results.size(); ++i) places.push_back(tensor(graph.type(graph.fetches[i].use), results[i]));
  for (int i = 0; i < 2; ++i) executable->run({}, views, places);  // threads start
  executable->profile(true);
  allocations = bytes = 0;
  counting = true;
  executable->run({.index = 2}, views, places);
  counting = false;
  return {allocations, bytes};
}

TEST(Allocation, CounterWorks) {
  counting = true;
  const long before = allocations;
  auto made = std::make_unique<std::vector<int>>(3);
  counting = false;
  EXPECT_EQ(allocations - before, 2);
}

TEST(Allocation, OwnKernelsAllocateNothing) {
  GraphBuilder g({});
  const Value x = g.input("x", {{64, 8, 8, 16}}, true);
  const Value w = g.parameter("w", {16}, Init::zeros()), m = g.state("m", {16});
  const Value y = relu(x * w + random_uniform(g, "noise", {64, 8, 8, 16}));
  const auto statistics = moments(y);
  g.assign(m, 0.9 * m + 0.1 * statistics.mean);
  g.assign(w, w - 0.1 * sum(y * y, Keep::channel) * g.step());
  g.fetch("swapped", transpose(y, {0, 3}));
  g.fetch("wide", broadcast_to(statistics.variance, {4, 16}));
  EXPECT_EQ(count_in_run(finish(g.graph())).allocations, 0);
}

TEST(Allocation, MatmulsAllocateNoTensors) {
  GraphBuilder g({});
  const Value x = g.input("x", {{8, 16, 16, 32}});
  const Value w = g.parameter("w", {3, 3, 32, 32}, Init::zeros()), d = g.parameter("d", {32, 10}, Init::zeros());
  const Value y = max_pool(relu(conv2d(x, w, {.padding = {{1, 1}, {1, 1}}})), {});
  g.fetch("y", dense(mean_over_space(y), d));
  const Counted counted = count_in_run(finish(g.graph()));
  EXPECT_LT(counted.bytes, 16 << 10);  // what oneDNN itself notes down for a call
}

}  // namespace
}  // namespace qfw::cpu
