#include <algorithm>
#include <memory>
#include <vector>

#include "qfw/error.h"
#include "qfw/lowering/interpreter.h"
#include "qfw/plugin.h"

namespace qfw::reference {

namespace {

struct Options {
  std::int64_t threads = 1;
  static void declare(Declare<Options>& option) {
    option("threads", &Options::threads,
           "accepted so that a recipe can switch backends by one line; plain loops use one thread", {.min = 0, .unused = true});
  }
};

/// The oracle: every op by its reference kernel, in order, on one thread.
class Reference final : public Backend {
 public:
  using Options = reference::Options;
  explicit Reference(const Options&) {}

  std::string describe() const override { return "reference: plain loops on 1 thread, sums in double"; }
  int threads() const override { return 1; }

  Support supports(const Graph&, const Node& node) const override {
    const OpDefinition& rules = definition(node.op);
    if (rules.op_class == OpClass::composite) return {false, std::string(rules.name) + " is expanded by the core"};
    if (node.op == Op::assign) return {false, "assign is removed by the core when it finishes a graph"};
    return {};
  }

  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override {
    return std::make_unique<lowering::Interpreter>(graph, variables_, replicas, "reference");
  }

  void read(std::string_view variable, HostTensor to) const override {
    const lowering::Variables::Entry& stored = variables_->find(variable, to.type, to.bytes.size());
    std::copy_n(stored.data, to.bytes.size(), to.bytes.data());
  }

  void write(std::string_view variable, HostView from) override {
    lowering::Variables::Entry& stored = variables_->find(variable, from.type, from.bytes.size());
    std::ranges::copy(from.bytes, stored.data);
    stored.written = true;
  }

 private:
  // Executables may outlive the backend: they share the memory, too.
  std::shared_ptr<lowering::Variables> variables_ = std::make_shared<lowering::Variables>(
      lowering::Target{}, [slabs = std::make_shared<std::vector<std::vector<std::byte>>>()](std::size_t bytes) {
        return slabs->emplace_back(bytes).data();
      });
};

}  // namespace

}  // namespace qfw::reference

QFW_PLUGIN("backend:reference", .name = "reference", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "every op by its reference kernel: the oracle that other backends are compared with")
(qfw::Registry& registry) {
  registry.add<qfw::reference::Reference>("reference", "plain loops, one thread, sums in double: slow and simple");
}
