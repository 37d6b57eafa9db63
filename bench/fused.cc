// Speed of the fused engine against loops written by hand: nanoseconds of processor time per element, medians, both sides in
// turn. Threads that wait count as well.
// bench_fused [threads]
#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <functional>
#include <string>
#include <vector>

#include "context.h"
#include "fused/fused_kernel.h"
#include "qfw/op_definition.h"

namespace {

using namespace qfw;
using lowering::Group;

struct Maker {
  Graph graph;

  Use add(Op op, std::vector<Use> inputs, Attributes attributes = {}) {
    std::vector<TensorType> types;
    for (const Use use : inputs) types.push_back(graph.type(use));
    graph.nodes.push_back({.op = op,
                           .inputs = std::move(inputs),
                           .attributes = attributes,
                           .outputs = definition(op).infer(types, attributes),
                           .path = {}});
    return {static_cast<int>(graph.nodes.size()) - 1, 0};
  }
  Use input(Shape shape, DType dtype = DType::f32) {
    graph.inputs.push_back({"x", {shape, dtype}});
    graph.nodes.push_back({.op = Op::input,
                           .inputs = {},
                           .attributes = Slot{static_cast<int>(graph.inputs.size()) - 1},
                           .outputs = {{shape, dtype}},
                           .path = {}});
    return {static_cast<int>(graph.nodes.size()) - 1, 0};
  }
  Use number(double value, DType dtype = DType::f32) {
    graph.nodes.push_back(
        {.op = Op::constant, .inputs = {}, .attributes = Number{value}, .outputs = {{{}, dtype}}, .path = {}});
    return {static_cast<int>(graph.nodes.size()) - 1, 0};
  }
  Use cast(Use x, DType to) { return graph.type(x).dtype == to ? x : add(Op::cast, {x}, to); }
  void fetch(Use use) { graph.fetches.push_back({"y", use}); }
};

/// The last group of a plan, with memory of its own.
struct Prepared {
  Group group;
  std::vector<std::vector<std::byte>> memory;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::unique_ptr<cpu::Kernel> kernel;

  Prepared(const Graph& graph, int threads) {
    for (const auto& item : lowering::group_nodes(graph, cpu::target())) {
      if (item.group) group = *item.group;
    }
    const auto add = [&](Use use) {
      const TensorType& type = graph.type(use);
      memory.emplace_back(type.bytes());
      const std::int64_t elements = type.shape.count();
      for (std::int64_t i = 0; i < elements; ++i) {
        const float value = static_cast<float>(i * 37 % 17) / 16 - 0.4f;
        const BFloat16 narrow(value);
        std::memcpy(memory.back().data() + i * size_of(type.dtype),
                    type.dtype == DType::bf16 ? static_cast<const void*>(&narrow) : &value, size_of(type.dtype));
      }
    };
    for (const Use use : group.inputs) add(use);
    for (const Use use : group.outputs) add(use);
    for (std::size_t i = 0; i < group.inputs.size(); ++i) inputs.push_back(memory[i].data());
    for (std::size_t i = 0; i < group.outputs.size(); ++i) outputs.push_back(memory[group.inputs.size() + i].data());
    kernel = cpu::make_fused(graph, group, threads);
  }
  void run() { kernel->run({}, inputs, outputs); }
};

/// Processor time of all threads, which other programs disturb less than the clock on the wall.
double seconds_of(const std::function<void()>& f) {
  const auto now = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  const double start = now();
  f();
  return now() - start;
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void compare(const std::string& name, std::int64_t elements, const std::function<void()>& engine,
             const std::function<void()>& by_hand, const char* other = "by hand") {
  std::vector<double> a, b;
  engine();
  if (by_hand) by_hand();
  for (int i = 0; i < 21; ++i) {
    a.push_back(seconds_of(engine));
    if (by_hand) b.push_back(seconds_of(by_hand));
  }
  const double scale = 1e9 / static_cast<double>(elements);
  fmt::print("{:44} {:7.3f} ns", name, median(a) * scale);
  if (by_hand) fmt::print("   {} {:7.3f} ns   ratio {:.2f}", other, median(b) * scale, median(a) / median(b));
  fmt::print("\n");
}

// ---- normalise + add + relu + quantize
// ---------------------------------------------------------------------------------------
Use normalised(Maker& m, Use x, std::int64_t channels) {
  const Use wide = m.cast(x, DType::f32);
  const Use mean = m.input({channels}), factor = m.input({channels}), beta = m.input({channels});
  return m.add(Op::add, {m.add(Op::multiply, {m.add(Op::subtract, {wide, mean}), factor}), beta});
}

__attribute__((target_clones("avx2", "default"))) void quantize_by_hand(const std::uint16_t* x, const std::uint16_t* shortcut,
                                                                        const float* mean, const float* factor,
                                                                        const float* beta, float scale, std::uint16_t* y,
                                                                        std::uint8_t* codes, std::int64_t rows,
                                                                        std::int64_t channels) {
  const auto wide = [](std::uint16_t bits) { return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16); };
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t c = 0; c < channels; ++c) {
      const std::int64_t i = row * channels + c;
      float value = (wide(x[i]) - mean[c]) * factor[c] + beta[c] + wide(shortcut[i]);
      value = value <= 0 ? 0 : value;
      const auto bits = std::bit_cast<std::uint32_t>(value);
      y[i] = static_cast<std::uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
      float level = static_cast<float>(static_cast<std::int32_t>(value * scale));
      level = level < 0 ? 0 : level;
      level = level > 255 ? 255 : level;
      codes[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(level));
    }
  }
}

void quantize(std::int64_t rows, std::int64_t channels, bool observers, int threads) {
  Maker m;
  const Shape shape{rows, channels};
  const Use x = m.input(shape, DType::bf16), shortcut = m.input(shape, DType::bf16), scale = m.input({});
  const Use sum = m.add(Op::add, {normalised(m, x, channels), m.cast(shortcut, DType::f32)});
  const Use y = m.add(Op::relu, {sum});
  const Use level = m.add(Op::floor, {m.add(Op::multiply, {y, scale})});
  const Use clipped = m.add(Op::minimum, {m.add(Op::maximum, {level, m.number(0)}, Ties::half), m.number(255)}, Ties::half);
  m.fetch(m.cast(y, DType::bf16));
  m.fetch(m.cast(clipped, DType::u8));
  if (observers) {
    m.fetch(m.add(Op::sum, {y}, Reduce{{}}));
    m.fetch(m.add(Op::sum, {m.add(Op::multiply, {y, y})}, Reduce{{}}));
    m.fetch(m.add(Op::reduce_max, {y}, Reduce{{}}));
  }
  Prepared engine(m.graph, threads), hand(m.graph, threads);
  const auto by_hand = [&] {
#pragma omp parallel for num_threads(threads)
    for (std::int64_t part = 0; part < 64; ++part) {
      const std::int64_t first = rows * part / 64, last = rows * (part + 1) / 64, at = first * channels;
      const auto floats = [&](int i) { return static_cast<const float*>(hand.inputs[i]); };
      std::vector<const float*> rows_of;
      const std::uint16_t* wide[2] = {};
      int found = 0;
      for (std::size_t i = 0; i < hand.group.inputs.size(); ++i) {
        const TensorType& type = m.graph.type(hand.group.inputs[i]);
        if (type.dtype == DType::bf16)
          wide[found++] = static_cast<const std::uint16_t*>(hand.inputs[i]);
        else if (type.shape.rank() == 1)
          rows_of.push_back(floats(static_cast<int>(i)));
      }
      quantize_by_hand(wide[0] + at, wide[1] + at, rows_of[0], rows_of[1], rows_of[2], 11.0f,
                       static_cast<std::uint16_t*>(hand.outputs[0]) + at, static_cast<std::uint8_t*>(hand.outputs[1]) + at,
                       last - first, channels);
    }
  };
  compare(
      fmt::format("normalise add relu quantize{} {}x{}", observers ? " observe" : "", rows, channels), rows * channels,
      [&] { engine.run(); }, by_hand);
}

// ---- a stranger's quantizer beside the built-in one -------------------------------------------------------------------
enum class Step { built_in, divided, multiplied };

/// relu(normalised x) to codes of 4 bits: clipped and rounded down, as the built-in quantizers do, or a learned step's (Esser
/// et al., arXiv 1902.08153), which divides by it, or multiplies by its inverse, and rounds to the nearest. Or the gradient
/// through that: of the input, of the two sums that batch norm needs, and of a step that is learned.
Graph quantizer(std::int64_t rows, std::int64_t channels, Step kind, bool is_backward) {
  Maker m;
  m.graph.summation = Summation::free;  // as in training
  const Shape shape{rows, channels};
  const Use y = m.add(Op::relu, {m.cast(normalised(m, m.input(shape, DType::bf16), channels), DType::bf16)});
  const Use wide = m.cast(y, DType::f32), step = m.input({}), zero = m.number(0), high = m.number(15);
  const Use level = m.add(kind == Step::divided ? Op::divide : Op::multiply, {wide, step});
  const Use clipped = m.add(Op::minimum, {m.add(Op::maximum, {level, zero}, Ties::half), high}, Ties::half);
  const Use codes = m.add(kind == Step::built_in ? Op::floor : Op::round_even, {clipped});
  if (!is_backward) {
    m.fetch(m.cast(codes, DType::u8));
    return m.graph;
  }
  const Use g = m.cast(m.input(shape, DType::bf16), DType::f32), none = m.number(0, DType::bf16);
  const Use within = m.add(Op::select, {m.add(Op::less, {level, high}), g, zero});
  const Use masked = m.add(Op::select, {m.add(Op::less, {zero, level}), within, zero});
  const Use dx = m.cast(m.add(Op::multiply, {masked, m.input({})}), DType::bf16);
  const Use passed = m.add(Op::select, {m.add(Op::less, {none, y}), dx, none}), summed = m.cast(passed, DType::f32);
  m.fetch(passed);
  m.fetch(m.add(Op::sum, {summed}, Reduce{{channels}}));
  m.fetch(m.add(Op::sum, {m.add(Op::multiply, {summed, wide})}, Reduce{{channels}}));
  if (kind == Step::built_in) return m.graph;
  const Use error = m.add(Op::subtract, {m.add(Op::multiply, {g, codes}), m.add(Op::multiply, {masked, level})});
  m.fetch(m.add(Op::sum, {error}, Reduce{{}}));
  return m.graph;
}

void quantizers(std::int64_t rows, std::int64_t channels, int threads) {
  for (const bool is_backward : {false, true}) {
    const Graph graph = quantizer(rows, channels, Step::built_in, is_backward);
    for (const Step kind : {Step::built_in, Step::divided, Step::multiplied}) {
      Prepared built_in(graph, threads), other(quantizer(rows, channels, kind, is_backward), threads);
      constexpr const char* names[] = {"built-in", "learned step, divided", "learned step, multiplied"};
      compare(
          fmt::format("{}, {} {}x{}", names[static_cast<int>(kind)], is_backward ? "backward" : "forward", rows, channels),
          rows * channels, [&] { other.run(); }, [&] { built_in.run(); }, "built-in");
    }
  }
}

void moments(std::int64_t rows, std::int64_t channels, int threads) {
  Maker m;
  const Use x = m.input({rows, channels}, DType::bf16);
  const Use mean = m.add(Op::moments, {m.cast(x, DType::f32)});
  m.fetch(mean);
  m.fetch({mean.node, 1});
  Prepared engine(m.graph, threads);
  compare(fmt::format("moments {}x{}", rows, channels), rows * channels, [&] { engine.run(); }, {});
}

/// Of batch norm and relu: two sums per channel, then the gradient of the convolution's output.
void backward(std::int64_t rows, std::int64_t channels, int threads) {
  for (const bool sums : {true, false}) {
    Maker m;
    const Shape shape{rows, channels};
    const Use x = m.input(shape, DType::bf16), g = m.input(shape, DType::bf16);
    const Use y = m.add(Op::relu, {normalised(m, x, channels)});
    const Use masked = m.add(Op::select, {m.add(Op::less, {m.number(0), y}), m.cast(g, DType::f32), m.number(0)});
    const Use mean = m.input({channels}), inverse = m.input({channels});
    const Use x_hat = m.add(Op::multiply, {m.add(Op::subtract, {m.cast(x, DType::f32), mean}), inverse});
    if (sums) {
      m.fetch(m.add(Op::sum, {masked}, Reduce{{channels}}));
      m.fetch(m.add(Op::sum, {m.add(Op::multiply, {masked, x_hat})}, Reduce{{channels}}));
    } else {
      const Use a = m.input({channels}), b = m.input({channels}), c = m.input({channels});
      const Use dx = m.add(Op::add, {m.add(Op::add, {m.add(Op::multiply, {masked, a}), m.add(Op::multiply, {x_hat, b})}), c});
      m.fetch(m.cast(dx, DType::bf16));
    }
    Prepared engine(m.graph, threads);
    compare(fmt::format("batch norm backward {} {}x{}", sums ? "sums" : "apply", rows, channels), rows * channels,
            [&] { engine.run(); }, {});
  }
}

void small(std::int64_t channels) {
  Maker m;
  const Use variance = m.input({channels}), gamma = m.input({channels});
  m.fetch(m.add(Op::divide, {gamma, m.add(Op::sqrt, {m.add(Op::add, {variance, m.number(1e-5)})})}));
  Prepared engine(m.graph, 2);
  compare(fmt::format("three ops on {} numbers, per 1000 runs", channels), 1,
          [&] {
            for (int i = 0; i < 1000; ++i) engine.run();
          },
          {});
}

}  // namespace

int main(int count, char** arguments) {
  const int threads = count > 1 ? std::atoi(arguments[1]) : omp_get_max_threads();
  fmt::print("{} threads; nanoseconds of processor time per element\n", threads);
  for (const bool observers : {false, true}) {
    quantize(16 * 56 * 56, 256, observers, threads);
    quantize(16 * 7 * 7, 2048, observers, threads);
    quantize(16 * 56 * 56, 64, observers, threads);
  }
  quantizers(16 * 28 * 28, 512, threads);
  moments(16 * 56 * 56, 256, threads);
  moments(16 * 56 * 56, 64, threads);
  moments(16 * 7 * 7, 2048, threads);
  backward(16 * 56 * 56, 256, threads);
  backward(16 * 14 * 14, 1024, threads);
  small(1);
  small(64);
  small(2048);
}
