#include <fmt/format.h>

#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw {

namespace {

class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph) {}

  void run() {
    for (number_ = 0; number_ < static_cast<int>(graph_.nodes.size()); ++number_) check(graph_.nodes[number_]);
    for (const ConstantTensor& tensor : graph_.tensors) check_tensor(tensor);
    for (const auto& [variable, use] : graph_.updates) {
      if (variable < 0 || variable >= static_cast<int>(graph_.variables.size())) {
        throw_error("an update names variable #" + std::to_string(variable) + ", which does not exist");
      }
      const Variable& target = graph_.variables[variable];
      if (!graph_.may_update) throw_error("the graph may not update anything and updates " + target.name);
      check_use(use, "the update of " + target.name);
      if (graph_.type(use) != target.type) {
        throw_error(fmt::format("{} is {}, its update {}", target.name, target.type.str(), graph_.type(use).str()));
      }
    }
    for (const Fetch& fetch : graph_.fetches) check_use(fetch.use, "the fetch \"" + fetch.name + "\"");
  }

 private:
  void check_tensor(const ConstantTensor& tensor) const {
    if (tensor.bytes == nullptr) throw_error("the constant tensor " + tensor.name + " has no bytes");
    if (tensor.bytes->size() != tensor.type.bytes()) {
      throw_error(fmt::format("the constant tensor {} is {} and has {} bytes, {} expected", tensor.name, tensor.type.str(),
                              tensor.bytes->size(), tensor.type.bytes()));
    }
  }

  void check(const Node& node) {
    const OpDefinition& rules = definition(node.op);
    const std::string where = fmt::format("{} in layer {}", rules.name, node.path.empty() ? "(root)" : node.path);
    std::vector<TensorType> types;
    for (const Use use : node.inputs) {
      check_use(use, where);
      types.push_back(graph_.type(use));
    }
    if (rules.infer == nullptr) {
      check_source(node, where);
      return;
    }
    std::vector<TensorType> inferred;
    try {
      inferred = rules.infer(types, node.attributes);
    } catch (const Error& error) {
      throw_error(std::string(error.what()) + " (" + where + ")");
    } catch (const std::bad_variant_access&) {
      throw_error("the attributes are not those of this op (" + where + ")");
    }
    if (inferred.size() != node.outputs.size()) {
      throw_error(fmt::format("{} outputs, {} expected ({})", node.outputs.size(), inferred.size(), where));
    }
    for (std::size_t i = 0; i < inferred.size(); ++i) {
      if (inferred[i] != node.outputs[i]) {
        throw_error(
            fmt::format("output {} is {}, the shape rule says {} ({})", i, node.outputs[i].str(), inferred[i].str(), where));
      }
    }
  }

  void check_source(const Node& node, const std::string& where) const {
    if (node.outputs.size() != 1) throw_error(fmt::format("{} outputs, 1 expected ({})", node.outputs.size(), where));
    const TensorType& type = node.outputs[0];
    if (node.op == Op::variable || node.op == Op::assign) {
      const int index = slot(node, graph_.variables.size(), where);
      if (type != graph_.variables[index].type) throw_error("its type is not the variable's (" + where + ")");
    } else if (node.op == Op::input) {
      const int index = slot(node, graph_.inputs.size(), where);
      if (type != graph_.inputs[index].type) throw_error("its type is not the input's (" + where + ")");
    } else if (node.op == Op::tensor) {
      const int index = slot(node, graph_.tensors.size(), where);
      if (type != graph_.tensors[index].type) throw_error("its type is not the constant tensor's (" + where + ")");
    }
  }

  int slot(const Node& node, std::size_t count, const std::string& where) const {
    const Slot* slot = std::get_if<Slot>(&node.attributes);
    if (slot == nullptr || slot->index < 0 || slot->index >= static_cast<int>(count))
      throw_error("it names nothing that exists (" + where + ")");
    return slot->index;
  }

  void check_use(Use use, const std::string& by) const {
    if (use.node < 0 || use.node >= static_cast<int>(graph_.nodes.size()) || use.node >= number_ || use.output < 0 ||
        use.output >= static_cast<int>(graph_.nodes[use.node].outputs.size())) {
      throw_error(fmt::format("{} uses %{}.{}, which does not come before it", by, use.node, use.output));
    }
  }

  [[noreturn]] void throw_error(const std::string& what) const {
    fail(Error::Category::graph, "verify", what,
         number_ < static_cast<int>(graph_.nodes.size()) ? fmt::format("node %{}", number_) : "");
  }

  const Graph& graph_;
  int number_ = 0;
};

}  // namespace

void verify(const Graph& graph) { Verifier(graph).run(); }

}  // namespace qfw
