#include <fmt/format.h>

#include <vector>

#include "kernel.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::cpu {
namespace {

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

}  // namespace

std::unique_ptr<Kernel> make_reference(const Graph& graph, const Node& node) {
  return std::make_unique<Reference>(graph, node);
}

}  // namespace qfw::cpu
