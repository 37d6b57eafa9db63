#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "kernel.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::cpu {
namespace {

class AllReduce final : public Kernel {
 public:
  AllReduce(std::span<const std::size_t> counts, Across how, Communicator& replicas)
      : counts_(counts.begin(), counts.end()),
        how_(how == Across::sum ? Communicator::Reduction::sum : Communicator::Reduction::mean),
        replicas_(replicas) {
    std::size_t all = 0;
    for (const std::size_t count : counts_) all += count;
    if (counts_.size() > 1) together_.resize(all);
  }

  const char* kind() const override { return "all_reduce"; }
  bool in_place(int input, int output) const override { return input == output; }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    if (counts_.size() == 1) {
      if (inputs[0] != outputs[0]) std::memcpy(outputs[0], inputs[0], counts_[0] * sizeof(float));
      replicas_.all_reduce({static_cast<float*>(outputs[0]), counts_[0]}, how_);
      return;
    }
    float* next = together_.data();
    for (std::size_t i = 0; i < counts_.size(); next += counts_[i++]) {
      std::memcpy(next, inputs[i], counts_[i] * sizeof(float));
    }
    replicas_.all_reduce(together_, how_);
    next = together_.data();
    for (std::size_t i = 0; i < counts_.size(); next += counts_[i++]) {
      std::memcpy(outputs[i], next, counts_[i] * sizeof(float));
    }
  }

 private:
  std::vector<std::size_t> counts_;
  Communicator::Reduction how_;
  Communicator& replicas_;
  std::vector<float> together_;
};

class Reference final : public Kernel {
 public:
  Reference(const Graph& graph, const Node& node) : node_(node), kernel_(definition(node.op).evaluate) {
    if (kernel_ == nullptr) {
      fail(Error::Category::internal, "cpu", fmt::format("{} has neither a kernel nor a reference kernel", name_of(node.op)),
           node.path, "expand it before compiling");
    }
    for (const Use& input : node.inputs) inputs_.emplace_back(graph.type(input), std::span<const std::byte>());
    for (const TensorType& type : node.outputs) outputs_.push_back({type, {}});
  }

  const char* kind() const override { return "reference kernels"; }
  std::string implementation() const override { return "reference"; }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    for (std::size_t i = 0; i < inputs_.size(); ++i) {
      inputs_[i].bytes = {static_cast<const std::byte*>(inputs[i]), inputs_[i].type.bytes()};
    }
    for (std::size_t i = 0; i < outputs_.size(); ++i) {
      outputs_[i].bytes = {static_cast<std::byte*>(outputs[i]), outputs_[i].type.bytes()};
    }
    kernel_({node_, inputs_, outputs_});
  }

 private:
  Node node_;
  ReferenceKernel kernel_;
  std::vector<HostView> inputs_;
  std::vector<HostTensor> outputs_;
};

template <class T>
void fill(std::byte* to, std::int64_t count, T value) {
  std::fill_n(reinterpret_cast<T*>(to), count, value);
}

}  // namespace

std::unique_ptr<Kernel> make_all_reduce(std::span<const std::size_t> counts, Across how, Communicator& replicas) {
  return std::make_unique<AllReduce>(counts, how, replicas);
}

std::unique_ptr<Kernel> make_reference(const Graph& graph, const Node& node) {
  return std::make_unique<Reference>(graph, node);
}

void fill_constant(const TensorType& type, double value, std::byte* to) {
  const std::int64_t count = type.shape.count();
  switch (type.dtype) {
    case DType::f32:
      return fill(to, count, static_cast<float>(value));
    case DType::bf16:
      return fill(to, count, BFloat16(static_cast<float>(value)));
    case DType::s32:
      return fill(to, count, static_cast<std::int32_t>(value));
    case DType::s8:
      return fill(to, count, static_cast<std::int8_t>(value));
    case DType::u8:
      return fill(to, count, static_cast<std::uint8_t>(value));
  }
}

}  // namespace qfw::cpu
