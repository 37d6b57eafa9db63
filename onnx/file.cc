#include "file.h"

#include <fmt/format.h>

#include <array>

namespace qfw::onnx {

namespace {

void describe(pb::ValueInfoProto& value, const std::string& name, pb::TensorProto::DataType type, std::int64_t batch,
              const Dims& rest) {
  value.set_name(name);
  pb::TypeProto::Tensor& tensor = *value.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type);
  pb::TensorShapeProto::Dimension& first = *tensor.mutable_shape()->add_dim();
  if (batch == 0) {
    first.set_dim_param("N");
  } else {
    first.set_dim_value(batch);
  }
  for (const std::int64_t extent : rest) tensor.mutable_shape()->add_dim()->set_dim_value(extent);
}

}  // namespace

std::string File::unique(std::string_view wanted) {
  std::string name(wanted);
  for (int i = 2; !names_.insert(name).second; ++i) name = fmt::format("{}_{}", wanted, i);
  return name;
}

std::string File::add(const char* op, std::initializer_list<std::string_view> inputs, std::string_view wanted,
                      std::initializer_list<Attribute> attributes) {
  pb::NodeProto& node = *graph_.add_node();
  std::string name = unique(wanted);
  node.set_op_type(op);
  node.set_name(name);
  for (const std::string_view input : inputs) node.add_input(std::string(input));
  node.add_output(name);
  for (const Attribute& each : attributes) attribute(each);
  return name;
}

void File::attribute(const Attribute& attribute) {
  pb::AttributeProto& added = *graph_.mutable_node(graph_.node_size() - 1)->add_attribute();
  added.set_name(attribute.name);
  if (const auto* number = std::get_if<std::int64_t>(&attribute.value)) {
    added.set_type(pb::AttributeProto::INT);
    added.set_i(*number);
  } else {
    added.set_type(pb::AttributeProto::INTS);
    for (const std::int64_t each : std::get<Dims>(attribute.value)) added.add_ints(each);
  }
}

std::string File::initializer(std::string_view wanted, pb::TensorProto::DataType type, const Dims& dims, std::string bytes) {
  pb::TensorProto& tensor = *graph_.add_initializer();
  std::string name = unique(wanted);
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t extent : dims) tensor.add_dims(extent);
  tensor.set_raw_data(std::move(bytes));
  return name;
}

std::string File::initializer(std::string_view wanted, const Dims& dims, std::span<const float> values) {
  return initializer(wanted, pb::TensorProto::FLOAT, dims, bytes_of(values));
}

std::string File::shared(const std::string& name, pb::TensorProto::DataType type, const Dims& dims, std::string bytes) {
  if (shared_.insert(name).second) initializer(name, type, dims, std::move(bytes));
  return name;
}

std::string File::scalar(float value) {
  return shared(fmt::format("constant/{}", value), pb::TensorProto::FLOAT, {}, bytes_of(std::span<const float>(&value, 1)));
}

std::string File::integers(const Dims& values) {
  return shared(fmt::format("integers/{}", fmt::join(values, ",")), pb::TensorProto::INT64,
                {static_cast<std::int64_t>(values.size())}, bytes_of(std::span<const std::int64_t>(values)));
}

std::string File::axis(std::int64_t value) {
  return shared(fmt::format("axis/{}", value), pb::TensorProto::INT64, {}, bytes_of(std::span<const std::int64_t>(&value, 1)));
}

std::string File::code(std::uint8_t value) {
  return shared(fmt::format("zero_point/{}", value), pb::TensorProto::UINT8, {}, {static_cast<char>(value)});
}

std::string File::signed_code(std::int8_t value) {
  return shared(fmt::format("zero_point/signed/{}", value), pb::TensorProto::INT8, {}, {static_cast<char>(value)});
}

void File::input(const std::string& name, pb::TensorProto::DataType type, std::int64_t batch, const Dims& rest) {
  names_.insert(name);
  describe(*graph_.add_input(), name, type, batch, rest);
}

void File::output(const std::string& name, pb::TensorProto::DataType type, std::int64_t batch, const Dims& rest) {
  describe(*graph_.add_output(), name, type, batch, rest);
}

}  // namespace qfw::onnx
