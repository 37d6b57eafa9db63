// How libFuzzer changes a network: nodes, constants and metadata rather than bytes, as nearly any other byte breaks the
// message.
#include <array>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "onnx.pb.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

namespace pb = qfw::onnx::pb;

class Mutator {
 public:
  Mutator(pb::ModelProto& model, unsigned seed) : model_(model), graph_(*model.mutable_graph()), random_(seed) {}

  void change() {
    switch (below(12)) {
      case 0:
        return change_operator();
      case 1:
      case 2:
      case 3:
        return change_operand();
      case 4:
      case 5:
        return change_attribute();
      case 6:
        return change_order();
      case 7:
      case 8:
        return change_constant();
      case 9:
        return change_input();
      case 10:
        return change_metadata();
      default:
        return change_name();
    }
  }

 private:
  std::size_t below(std::size_t count) { return count == 0 ? 0 : random_() % count; }
  bool chance(std::size_t one_in) { return below(one_in) == 0; }

  template <class List>
  auto* any_of(List* list) {
    return list->empty() ? nullptr : list->Mutable(static_cast<int>(below(static_cast<std::size_t>(list->size()))));
  }

  std::string mutated(std::string text) {
    const std::size_t size = text.size();
    text.resize(size + 16);
    text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
    return text;
  }

  std::int64_t number(std::int64_t before) {
    constexpr std::array<std::int64_t, 16> known{-1, 0, 1,   2,   3,       4,       7,       8,
                                                 9,  5, 127, 255, 1 << 14, 1 << 28, 1 << 30, std::int64_t{1} << 62};
    switch (below(4)) {
      case 0:
        return before + 1;
      case 1:
        return before - 1;
      default:
        return known[below(known.size())];
    }
  }

  /// Of any value that there is.
  std::string name() {
    std::vector<const std::string*> names;
    for (const auto& input : graph_.input()) names.push_back(&input.name());
    for (const auto& tensor : graph_.initializer()) names.push_back(&tensor.name());
    for (const auto& node : graph_.node()) {
      for (const auto& output : node.output()) names.push_back(&output);
    }
    return names.empty() ? "" : *names[below(names.size())];
  }

  void change_operator() {
    constexpr std::array<const char*, 31> known{
        "Abs",         "Add",           "Cast",          "Clip",    "ConvInteger", "CumSum",   "DequantizeLinear",
        "Div",         "Equal",         "Floor",         "Gather",  "Neg",         "Identity", "Less",
        "LessOrEqual", "MatMulInteger", "Max",           "MaxPool", "Min",         "Mul",      "Relu",
        "Reshape",     "Round",         "Sqrt",          "Sub",     "Where",       "Softmax",  "Sum",
        "Transpose",   "Conv",          "QuantizeLinear"};
    pb::NodeProto* node = any_of(graph_.mutable_node());
    if (node == nullptr) return;
    node->set_op_type(known[below(known.size())]);
    if (chance(2)) return;
    while (node->input_size() > 1 && chance(2)) node->mutable_input()->RemoveLast();
    while (chance(3)) node->add_input(name());
  }

  void change_operand() {
    pb::NodeProto* node = any_of(graph_.mutable_node());
    if (node == nullptr || node->input_size() == 0) return;
    std::string& operand = *any_of(node->mutable_input());
    operand = chance(20) ? mutated(operand) : name();
  }

  void change_attribute() {
    pb::NodeProto* node = any_of(graph_.mutable_node());
    for (int tries = 0; tries < 8 && node != nullptr && node->attribute_size() == 0; ++tries)
      node = any_of(graph_.mutable_node());
    if (node == nullptr) return;
    if (node->attribute_size() == 0 || chance(10)) {
      constexpr std::array<const char*, 10> known{"axis", "group",   "pads", "kernel_shape", "strides",
                                                  "perm", "reverse", "to",   "dilations",    "exclusive"};
      pb::AttributeProto& added = *node->add_attribute();
      added.set_name(known[below(known.size())]);
      added.set_type(chance(2) ? pb::AttributeProto::INT : pb::AttributeProto::INTS);
      added.set_i(number(0));
      for (std::size_t i = below(5); i > 0; --i) added.add_ints(number(1));
      return;
    }
    pb::AttributeProto& attribute = *any_of(node->mutable_attribute());
    if (chance(10)) {
      node->mutable_attribute()->RemoveLast();
    } else if (attribute.ints_size() > 0) {
      const auto place = static_cast<int>(below(static_cast<std::size_t>(attribute.ints_size())));
      attribute.set_ints(place, number(attribute.ints(place)));
    } else {
      constexpr std::array types{pb::TensorProto::FLOAT,   pb::TensorProto::UINT8,  pb::TensorProto::INT8,
                                 pb::TensorProto::INT32,   pb::TensorProto::INT64,  pb::TensorProto::BOOL,
                                 pb::TensorProto::FLOAT16, pb::TensorProto::DOUBLE, pb::TensorProto::BFLOAT16};
      attribute.set_i(attribute.name() == "to" ? types[below(types.size())] : number(attribute.i()));
    }
  }

  void change_order() {
    const auto count = static_cast<std::size_t>(graph_.node_size());
    if (count == 0) return;
    const auto first = static_cast<int>(below(count)), second = static_cast<int>(below(count));
    switch (below(3)) {
      case 0:
        return graph_.mutable_node()->SwapElements(first, second);
      case 1:
        return graph_.mutable_node()->DeleteSubrange(first, 1);
      default: {  // the same behind itself: what reads it reads the second
        const pb::NodeProto copy = graph_.node(first);
        if (copy.input_size() == 0 || copy.output_size() == 0) return;
        graph_.mutable_node(first)->set_output(0, copy.output(0) + "'");
        pb::NodeProto& added = *graph_.add_node();
        added = copy;
        added.set_input(0, copy.output(0) + "'");
        for (int at = graph_.node_size() - 1; at > first + 1; --at) graph_.mutable_node()->SwapElements(at, at - 1);
      }
    }
  }

  void change_constant() {
    pb::TensorProto* tensor = any_of(graph_.mutable_initializer());
    if (tensor == nullptr) return;
    std::string& raw = *tensor->mutable_raw_data();
    if (chance(4) && tensor->dims_size() > 0) {
      const auto place = static_cast<int>(below(static_cast<std::size_t>(tensor->dims_size())));
      const std::int64_t before = tensor->dims(place), after = number(before);
      tensor->set_dims(place, after);
      if (before > 0 && after > 0 && after < 64 && !chance(8)) {
        raw.resize(raw.size() / static_cast<std::size_t>(before) * static_cast<std::size_t>(after), '\1');
      }
    } else if (chance(6)) {
      tensor->set_data_type(static_cast<int>(below(27)));
    } else if (chance(6)) {
      tensor->add_dims(1);
      if (chance(2)) tensor->mutable_dims()->SwapElements(0, tensor->dims_size() - 1);
    } else if (tensor->data_type() == pb::TensorProto::FLOAT && raw.size() >= sizeof(float) && chance(2)) {
      constexpr std::array<float, 12> known{0, -0.F, 1, -1, 0.5F, 128, 255, 256, 1e-40F, 0x1p-126F, 3e38F, -3e38F};
      const float value = known[below(known.size())];
      std::memcpy(&raw[below(raw.size() / sizeof value) * sizeof value], &value, sizeof value);
    } else {
      const std::size_t size = raw.size();
      raw = mutated(raw);
      if (!chance(8)) raw.resize(size);
    }
  }

  void change_input() {
    pb::ValueInfoProto* input = any_of(graph_.mutable_input());
    if (input == nullptr) return;
    auto& type = *input->mutable_type()->mutable_tensor_type();
    if (chance(10)) return type.set_elem_type(static_cast<int>(below(27)));
    if (chance(10)) return input->set_name(chance(2) ? "images" : "pixels");
    if (auto* dim = any_of(type.mutable_shape()->mutable_dim())) dim->set_dim_value(number(dim->dim_value()));
  }

  void change_metadata() {
    if (chance(8) && model_.opset_import_size() > 0) {
      return model_.mutable_opset_import(0)->set_version(number(model_.opset_import(0).version()));
    }
    pb::StringStringEntryProto* entry = any_of(model_.mutable_metadata_props());
    if (entry == nullptr || (entry->key() == "qfw.form" && !chance(10))) return;
    entry->set_value(mutated(entry->value()));
  }

  void change_name() {
    pb::NodeProto* node = any_of(graph_.mutable_node());
    if (node == nullptr) return;
    if (chance(2)) return node->set_name(mutated(node->name()));
    if (node->output_size() > 0) node->set_output(0, chance(2) ? "logits" : name());
  }

  pb::ModelProto& model_;
  pb::GraphProto& graph_;
  std::minstd_rand random_;
};

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  pb::ModelProto model;
  if (seed % 10 == 0 || !model.ParseFromArray(data, static_cast<int>(size))) return LLVMFuzzerMutate(data, size, most);
  Mutator mutator(model, seed);
  for (unsigned changes = 1 + seed / 16 % 3; changes > 0; --changes) mutator.change();
  const std::string bytes = model.SerializeAsString();
  if (bytes.size() > most) return LLVMFuzzerMutate(data, size, most);
  std::memcpy(data, bytes.data(), bytes.size());
  return bytes.size();
}
