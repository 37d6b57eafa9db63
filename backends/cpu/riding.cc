#include "riding.h"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "fused/fused_kernel.h"
#include "matmul/geometry.h"
#include "matmul/matmul.h"
#include "qfw/lowering/program.h"

namespace qfw::cpu {
namespace {

using lowering::FusedProgram;
using lowering::Pattern;

// What is written and read again stays in the second-level cache. A slice reads all weights: where they are more than that, it
// is longer, and it is never so short that they are read for a few rows.
constexpr std::int64_t slice_bytes = 256 << 10, least_rows = 32;

/// How the convolution and the group's space can be cut into equal slices.
struct Slices {
  std::int64_t count = 1;
  bool of_pixels = false;  ///< else of images

  Slices(const Geometry& g, const FusedProgram& program, int threads) : of_pixels(g.rows_are_pixels()) {
    const std::int64_t most = of_pixels ? g.rows() : g.n, first = program.space.extents[0];
    const std::int64_t bytes = std::max(slice_bytes, g.depth() * g.o), wanted = (g.rows() * g.o * 4 + bytes - 1) / bytes;
    for (std::int64_t parts = threads; parts <= most && g.rows() / parts >= least_rows; ++parts) {
      if (most % parts != 0 || first % parts != 0) continue;
      count = parts;
      if (parts >= wanted) return;
    }
  }
};

/// The convolution of one slice, as a graph of its own.
Graph slice_of(const Graph& graph, const Node& node, const Slices& slices) {
  Graph slice;
  slice.training = graph.training;
  slice.summation = graph.summation;
  const auto cut = [&](TensorType type) {
    Shape& s = type.shape;
    if (slices.of_pixels) {
      s = Shape{1, 1, s[0] * s[1] * s[2] / slices.count, s[3]};
    } else {
      s = Shape{s[0] / slices.count, s[1], s[2], s[3]};
    }
    return type;
  };
  const auto add_input = [&](const TensorType& type) {
    slice.inputs.push_back({"operand", type});
    slice.nodes.push_back({.op = Op::input,
                           .inputs = {},
                           .attributes = Slot{static_cast<int>(slice.inputs.size()) - 1},
                           .outputs = {type},
                           .path = node.path});
  };
  add_input(cut(graph.type(node.inputs[0])));
  const Node& weights = graph.nodes[node.inputs[1].node];
  if (weights.op == Op::tensor) {
    slice.tensors.push_back(graph.tensors[weights.as<Slot>().index]);
    slice.nodes.push_back(
        {.op = Op::tensor, .inputs = {}, .attributes = Slot{0}, .outputs = weights.outputs, .path = weights.path});
  } else {
    add_input(graph.type(node.inputs[1]));
  }
  slice.nodes.push_back({.op = node.op,
                         .inputs = {{0, 0}, {1, 0}},
                         .attributes = node.attributes,
                         .outputs = {cut(node.outputs[0])},
                         .path = node.path});
  return slice;
}

class RidingKernel final : public Kernel {
 public:
  RidingKernel(const Graph& graph, int number, const lowering::Group& group, Context& context)
      : context_(context), convolution_inputs_(graph.nodes[number].inputs.size()) {
    const Node& node = graph.nodes[number];
    FusedProgram program = lowering::program_of(graph, group);
    const Slices slices(geometry_of(graph, node), program, context.threads);
    count_ = slices.count;
    src_step_ = static_cast<std::int64_t>(graph.type(node.inputs[0]).bytes()) / count_;
    find_steps(graph, group, program, number);
    program.space.extents[0] /= count_;
    const std::size_t bytes = node.outputs[0].bytes() / static_cast<std::size_t>(count_);
    if (count_ == 1) {
      add(make_matmul(graph, node, context), std::move(program), context, bytes);
      return;
    }
    const Graph slice = slice_of(graph, node, slices);
    for (int thread = 0; thread < context.threads; ++thread) {
      Context& own = context.of_thread(thread);
      add(make_matmul(slice, slice.nodes.back(), own), program, own, bytes);
    }
  }

  const char* kind() const override { return own_[0].convolution->kind(); }
  std::string implementation() const override {
    return fmt::format("{}, with its pass {} in {} slice{}", own_[0].convolution->implementation(),
                       own_[0].pass->implementation(), count_, count_ == 1 ? "" : "s");
  }
  bool in_place(int input, int output) const override {
    const auto own = static_cast<std::size_t>(input);
    return own >= convolution_inputs_ && own_[0].pass->in_place(place_of(own - convolution_inputs_), output);
  }

  void run(Executable::Step step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    if (count_ == 1) return run_slice(step, inputs, outputs, 0, own_[0]);
    std::exception_ptr error;
#pragma omp parallel for schedule(dynamic) num_threads(context_.threads)
    for (std::int64_t slice = 0; slice < count_; ++slice) {
      try {
        run_slice(step, inputs, outputs, slice, own_[static_cast<std::size_t>(omp_get_thread_num())]);
      } catch (...) {
#pragma omp critical
        error = std::current_exception();
      }
    }
    if (error) std::rethrow_exception(error);
  }

 private:
  /// A thread's kernels, and their operands.
  struct Own {
    std::unique_ptr<Kernel> convolution, pass;
    Context* context = nullptr;
    std::vector<const void*> convolution_inputs, inputs;
    std::vector<void*> outputs;
  };

  void add(std::unique_ptr<Kernel> convolution, FusedProgram program, Context& context, std::size_t bytes) {
    Own own{.convolution = std::move(convolution), .pass = nullptr, .context = &context};
    own.pass = make_fused(std::move(program), context.threads, *context_.body);
    own.convolution_inputs.resize(convolution_inputs_);
    own.inputs.resize(input_steps_.size());
    own.outputs.resize(output_steps_.size());
    context.slice.reserve(bytes);
    own_.push_back(std::move(own));
  }

  /// How far apart in memory one slice's operand begins from the one before.
  void find_steps(const Graph& graph, const lowering::Group& group, const FusedProgram& program, int number) {
    input_steps_.resize(group.inputs.size());
    for (const FusedProgram::Load& load : program.loads) {
      const std::int64_t first = program.space.extents[0] / count_, size = static_cast<std::int64_t>(size_of(load.dtype));
      if (load.pattern == Pattern::dense) input_steps_[load.input] = program.space.count() / count_ * size;
      if (load.pattern == Pattern::strided) input_steps_[load.input] = load.strides[0] * first * size;
    }
    for (const Use use : group.outputs) {
      output_steps_.push_back(static_cast<std::int64_t>(graph.type(use).bytes()) / count_);
    }
    carried_ = static_cast<int>(std::ranges::find(group.inputs, Use{number, 0}) - group.inputs.begin());
  }
  /// Of the group's inputs without what the convolution writes: the position among all of them.
  int place_of(std::size_t input) const { return static_cast<int>(input) + (static_cast<int>(input) >= carried_); }

  void run_slice(Executable::Step step, std::span<const void* const> inputs, std::span<void* const> outputs, std::int64_t slice,
                 Own& own) const {
    const auto at = [slice](const void* base, std::int64_t bytes) -> const void* {
      return static_cast<const std::byte*>(base) + slice * bytes;
    };
    std::copy_n(inputs.begin(), convolution_inputs_, own.convolution_inputs.begin());
    own.convolution_inputs[0] = at(inputs[0], src_step_);
    void* const sums = own.context->slice.data();
    own.convolution->run(step, own.convolution_inputs, {&sums, 1});
    for (std::size_t i = convolution_inputs_; i < inputs.size(); ++i) {
      const int place = place_of(i - convolution_inputs_);
      own.inputs[place] = at(inputs[i], input_steps_[place]);
    }
    own.inputs[carried_] = sums;
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      own.outputs[o] = static_cast<std::byte*>(outputs[o]) + slice * output_steps_[o];
    }
    own.pass->run(step, own.inputs, own.outputs);
  }

  Context& context_;
  std::size_t convolution_inputs_;
  std::int64_t count_ = 1, src_step_ = 0;
  std::vector<std::int64_t> input_steps_, output_steps_;  ///< in bytes, of the group's operands
  int carried_ = 0;                                       ///< which of the group's inputs the convolution writes
  std::vector<Own> own_;                                  ///< by thread; one for all if nothing is sliced
};

}  // namespace

std::unique_ptr<Kernel> make_riding(const Graph& graph, int node, const lowering::Group& group, Context& context) {
  return std::make_unique<RidingKernel>(graph, node, group, context);
}

}  // namespace qfw::cpu
