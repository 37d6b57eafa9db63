// Speed of the convolutions of ResNet50 at 224x224 on this machine, distinct layers with their multiplicities.
// bench_matmul [THREADS] [BATCH] [SECONDS per measurement] [grouped] [COLUMN...]; columns as printed, all by default.
// `grouped`: convolutions in groups, down to a channel each, in place of ResNet50's. ONEDNN_MAX_CPU_ISA caps the kernels of
// both sides.
#include "matmul/matmul.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "instruction_cap.h"

namespace {

using namespace qfw;
using cpu::Context;
using Implementation = Context::Implementation;

struct Layer {
  std::int64_t c, o, kernel, stride, size;
  int times;
  std::int64_t groups = 1;
};
constexpr Layer resnet50[] = {
    {3, 64, 7, 2, 224, 1},     {64, 64, 1, 1, 56, 1},    {256, 64, 1, 1, 56, 2},   {64, 64, 3, 1, 56, 3},
    {64, 256, 1, 1, 56, 4},    {256, 128, 1, 1, 56, 1},  {128, 128, 3, 2, 56, 1},  {128, 512, 1, 1, 28, 4},
    {256, 512, 1, 2, 56, 1},   {512, 128, 1, 1, 28, 3},  {128, 128, 3, 1, 28, 3},  {512, 256, 1, 1, 28, 1},
    {256, 256, 3, 2, 28, 1},   {256, 1024, 1, 1, 14, 6}, {512, 1024, 1, 2, 28, 1}, {1024, 256, 1, 1, 14, 5},
    {256, 256, 3, 1, 14, 5},   {1024, 512, 1, 1, 14, 1}, {512, 512, 3, 2, 14, 1},  {512, 2048, 1, 1, 7, 3},
    {1024, 2048, 1, 2, 14, 1}, {2048, 512, 1, 1, 7, 2},  {512, 512, 3, 1, 7, 2}};
constexpr Layer grouped[] = {{128, 128, 3, 1, 56, 1},      {128, 128, 3, 1, 56, 1, 4},   {128, 128, 3, 1, 56, 1, 32},
                             {256, 256, 3, 2, 56, 1, 32},  {512, 512, 3, 1, 14, 1, 32},  {32, 32, 3, 1, 112, 1, 32},
                             {144, 144, 3, 1, 56, 1, 144}, {144, 144, 3, 2, 56, 1, 144}, {576, 576, 3, 1, 14, 1, 576},
                             {576, 576, 3, 2, 14, 1, 576}, {240, 240, 5, 1, 28, 1, 240}, {960, 960, 3, 1, 7, 1, 960},
                             {960, 960, 5, 1, 7, 1, 960}};

struct Column {
  const char* name;
  Op op;
  DType type;
  int greatest_code = 0, greatest_weight = 0;  // of integers; codes are bounded in the graph
  Implementation implementation = Implementation::automatic;
  bool winograd = false;
};
constexpr Column columns[] = {
    {"f32", Op::conv2d, DType::f32},
    {"f32.bd", Op::conv2d_grad_src, DType::f32},
    {"f32.w", Op::conv2d, DType::f32, 0, 0, Implementation::automatic, true},
    {"f32.bd.w", Op::conv2d_grad_src, DType::f32, 0, 0, Implementation::automatic, true},
    {"f32.bw", Op::conv2d_grad_weights, DType::f32},
    {"f32.bw.own", Op::conv2d_grad_weights, DType::f32, 0, 0, Implementation::own},
    {"f32.bw.lib", Op::conv2d_grad_weights, DType::f32, 0, 0, Implementation::library},
    {"bf16", Op::conv2d, DType::bf16},
    {"bf16.bd", Op::conv2d_grad_src, DType::bf16},
    {"bf16.bw", Op::conv2d_grad_weights, DType::bf16},
    {"bf16.bw.own", Op::conv2d_grad_weights, DType::bf16, 0, 0, Implementation::own},
    {"bf16.bw.lib", Op::conv2d_grad_weights, DType::bf16, 0, 0, Implementation::library},
    {"w8a8", Op::conv2d, DType::u8, 255, 127},
    {"w8a4", Op::conv2d, DType::u8, 15, 127},
    {"w4a8", Op::conv2d, DType::u8, 255, 7},
    {"w4a4", Op::conv2d, DType::u8, 15, 7},
    {"w8a8.own", Op::conv2d, DType::u8, 255, 127, Implementation::own},
    {"w8a8.lib", Op::conv2d, DType::u8, 255, 127, Implementation::library},
};

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Memory = std::unique_ptr<std::byte, Free>;

Memory filled(const TensorType& type, int greatest) {
  const std::size_t bytes = (type.bytes() + 4095) / 4096 * 4096;
  Memory memory(static_cast<std::byte*>(std::aligned_alloc(4096, bytes)));
  std::minstd_rand generator(1);
  for (std::int64_t i = 0; i < type.shape.count(); ++i) {
    const int draw = static_cast<int>(generator() % 4096);
    const auto put = [&](auto value) {
      std::memcpy(memory.get() + i * static_cast<std::int64_t>(sizeof(value)), &value, sizeof(value));
    };
    switch (type.dtype) {
      case DType::f32:
        put(static_cast<float>(draw) / 2048 - 1);
        break;
      case DType::bf16:
        put(BFloat16(static_cast<float>(draw) / 2048 - 1));
        break;
      case DType::f16:
        put(Float16(static_cast<float>(draw) / 2048 - 1));
        break;
      case DType::u8:
        put(static_cast<std::uint8_t>(draw % (greatest + 1)));
        break;
      case DType::s8:
        put(static_cast<std::int8_t>(draw % (2 * greatest + 1) - greatest));
        break;
      case DType::s32:
        put(0);
        break;
    }
  }
  return memory;
}

Graph graph_of(const Layer& layer, std::int64_t batch, const Column& column) {
  const Shape src{batch, layer.size, layer.size, layer.c}, weights{layer.kernel, layer.kernel, layer.c / layer.groups, layer.o};
  const std::int64_t size = layer.size / layer.stride;
  const Shape dst{batch, size, size, layer.o};
  const Extent stride{layer.stride, layer.stride};
  const std::int64_t total = std::max<std::int64_t>((size - 1) * layer.stride + layer.kernel - layer.size, 0);
  const Conv2d conv{
      .stride = stride, .padding = {{total / 2, total / 2}, {total - total / 2, total - total / 2}}, .groups = layer.groups};
  const bool integer = column.type == DType::u8;
  Graph graph;
  const auto add = [&](Op op, std::vector<Use> inputs, Attributes attributes, TensorType type) {
    graph.nodes.push_back({op, std::move(inputs), std::move(attributes), {type}, "bench"});
    return Use{static_cast<int>(graph.nodes.size()) - 1, 0};
  };
  switch (column.op) {
    case Op::conv2d_grad_src:
      add(column.op, {add(Op::input, {}, Slot{0}, {dst, column.type}), add(Op::input, {}, Slot{1}, {weights, column.type})},
          Conv2dGrad{conv, src}, {src, column.type});
      break;
    case Op::conv2d_grad_weights:
      add(column.op, {add(Op::input, {}, Slot{0}, {src, column.type}), add(Op::input, {}, Slot{1}, {dst, column.type})},
          Conv2dGrad{conv, weights}, {weights, DType::f32});
      break;
    default: {
      Use codes = add(Op::input, {}, Slot{0}, {src, integer ? DType::f32 : column.type});
      if (integer) {
        const Use most = add(Op::constant, {}, Number{static_cast<double>(column.greatest_code)}, {{}, DType::f32});
        codes = add(Op::minimum, {add(Op::relu, {codes}, {}, {src, DType::f32}), most}, Ties::half, {src, DType::f32});
        codes = add(Op::cast, {codes}, DType::u8, {src, DType::u8});
      }
      add(Op::conv2d, {codes, add(Op::input, {}, Slot{1}, {weights, integer ? DType::s8 : column.type})}, conv,
          {dst, integer ? DType::s32 : column.type});
    }
  }
  return graph;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double best_time(cpu::Kernel& kernel, const std::vector<const void*>& inputs, void* output, double seconds) {
  kernel.run({}, inputs, {&output, 1});
  double best = 1e30;
  const double start = now();
  for (int i = 0; i < 3 || now() - start < seconds; ++i) {
    const double before = now();
    kernel.run({}, inputs, {&output, 1});
    best = std::min(best, now() - before);
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  const std::int64_t batch = argc > 2 ? std::atoi(argv[2]) : 16;
  const double seconds = argc > 3 ? std::atof(argv[3]) : 0.1;
  const bool in_groups = argc > 4 && std::strcmp(argv[4], "grouped") == 0;
  const int first = in_groups ? 5 : 4;
  const std::span<const Layer> layers = in_groups ? std::span<const Layer>(grouped) : resnet50;
  std::vector<Column> chosen;
  for (const Column& column : columns) {
    bool wanted = argc <= first;
    for (int i = first; i < argc; ++i) wanted = wanted || std::strcmp(argv[i], column.name) == 0;
    if (wanted) chosen.push_back(column);
  }
  cpu::follow_library_cap();
  omp_set_num_threads(threads);
  fmt::print("{}; {} threads, batch {}; GFLOP/s (GOP/s) of 2 x multiplications, best of {} s each\n{:<26}",
             cpu::describe_matmul(), threads, batch, seconds, "channels kernel size");
  for (const Column& column : chosen) fmt::print("{:>11}", column.name);
  fmt::print("\n");
  std::vector<double> totals(chosen.size());
  double all = 0;
  for (const Layer& layer : layers) {
    const std::int64_t size = layer.size / layer.stride;
    const double work =
        2.0 * static_cast<double>(batch * layer.c / layer.groups * layer.o * layer.kernel * layer.kernel * size * size);
    all += work * layer.times;
    fmt::print("{:<26}", fmt::format("{}->{}{} {}x{}/{} @{} x{}", layer.c, layer.o,
                                     layer.groups == 1 ? "" : fmt::format(":{}", layer.groups), layer.kernel, layer.kernel,
                                     layer.stride, layer.size, layer.times));
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      const Column& column = chosen[i];
      if (column.op == Op::conv2d_grad_src && layer.c == 3) {  // nobody needs the gradient of images
        fmt::print("{:>11}", "-");
        continue;
      }
      Context context{.threads = threads, .implementation = column.implementation, .winograd = column.winograd};
      const Graph graph = graph_of(layer, batch, column);
      const Node& node = graph.nodes.back();
      const auto kernel = make_matmul(graph, node, context);
      const Memory a = filled(graph.type(node.inputs[0]), column.greatest_code),
                   b = filled(graph.type(node.inputs[1]), column.greatest_weight);
      const Memory result = filled({node.outputs[0].shape, DType::s32}, 0);
      const double time = best_time(*kernel, {a.get(), b.get()}, result.get(), seconds);
      totals[i] += time * layer.times;
      fmt::print("{:>11.0f}", work / time / 1e9);
      std::fflush(stdout);
    }
    fmt::print("\n");
  }
  const auto line = [&](const char* name, auto value) {
    fmt::print("{:<26}", name);
    for (std::size_t i = 0; i < chosen.size(); ++i) fmt::print("{:>11}", value(totals[i]));
    fmt::print("\n");
  };
  line("network, ms", [](double total) { return fmt::format("{:.0f}", total * 1e3); });
  line("network, GFLOP/s", [&](double total) { return fmt::format("{:.0f}", all / total / 1e9); });
  line("speed against the first", [&](double total) { return fmt::format("{:.2f}", totals[0] / total); });
}
