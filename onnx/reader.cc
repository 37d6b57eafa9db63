#include "reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <limits>
#include <utility>

#include "qfw/error.h"
#include "read_refuse.h"

namespace qfw::onnx {

namespace {

using Type = pb::TensorProto;
using Dims = std::vector<std::int64_t>;

constexpr std::int64_t largest_extent = 1 << 14;  // of images, windows, strides and margins
constexpr int most_nodes = 1 << 20;
constexpr double constants_per_byte = 64;  // of the file; codes of 2 bits become floats on their way
constexpr double least_constants = 1 << 24;
constexpr std::size_t longest_path = 200;
constexpr double smallest_normal = 0x1p-126;

std::string shown(const Dims& dims) { return fmt::format("[{}]", fmt::join(dims, ", ")); }

/// Of a value of `rank`: the graph's axis that the file's is. NCHW there is NHWC here.
int axis_here(int rank, int axis) {
  constexpr std::array<int, 4> to_nhwc{0, 3, 1, 2};
  return rank == 4 ? to_nhwc[static_cast<std::size_t>(axis)] : axis;
}

bool is_to_nchw(const pb::NodeProto& transpose) {
  constexpr std::array<std::int64_t, 4> order{0, 3, 1, 2};
  return transpose.attribute_size() == 1 && std::ranges::equal(transpose.attribute(0).ints(), order);
}

bool ends_with_sums(std::string_view name) { return name.ends_with("/sums"); }

}  // namespace

Reader::Reader(const pb::ModelProto& model, std::int64_t batch)
    : model_(model),
      batch_(batch),
      metadata_(metadata_of(model)),
      most_constant_bytes_(constants_per_byte * static_cast<double>(model.ByteSizeLong()) + least_constants) {}

FrozenModel Reader::read() {
  if (metadata_.form != "exact") {
    refuse(fmt::format("the file is in the form {}; only `exact` can be read back", quoted(metadata_.form)), {},
           "export the run anew, with form = exact");
  }
  const pb::GraphProto& graph = model_.graph();
  for (const pb::OperatorSetIdProto& set : model_.opset_import()) {
    if (!set.domain().empty() && set.domain() != "ai.onnx") refuse("operators of " + quoted(set.domain()) + " are asked for");
    if (set.version() < 13 || set.version() > 25)
      refuse(fmt::format("operators of version {}; 13 to 25 are known", set.version()));
  }
  if (graph.node_size() > most_nodes) refuse(fmt::format("the network is too large: {} nodes", graph.node_size()));
  if (graph.output_size() != 1 || graph.output(0).name() != "logits") {
    refuse(fmt::format("{} outputs; one, logits, is expected", graph.output_size()));
  }
  read_inputs();
  read_initializers();
  for (const pb::NodeProto& node : graph.node()) {
    try {
      translate(node);
    } catch (const Error& error) {
      throw Error(Error::Category::data, fmt::format("{} ({})", error.what(), place_of(node)));
    }
  }
  const auto logits = values_.find("logits");
  const Value* value = logits == values_.end() ? nullptr : std::get_if<Value>(&logits->second);
  if (value == nullptr || value->is != Value::Is::number || maker_.type(value->use).shape.rank() != 2 ||
      maker_.type(value->use).dtype != DType::f32) {
    refuse("no node makes logits [N, classes] of the images");
  }
  FrozenModel result;
  const std::vector<Fetch> fetches{{"logits", value->use}};
  result.graph = maker_.finished(fetches, sites());
  result.preparation = metadata_.preparation;
  result.labels = metadata_.labels;
  result.provenance = {.qfw = metadata_.version,
                       .recipe = metadata_.recipe,
                       .checkpoint = metadata_.checkpoint,
                       .step = metadata_.step,
                       .phase = metadata_.phase};
  try {
    verify(result);
  } catch (const Error& error) {
    refuse(error.what());
  }
  if (result.preparation) {
    const auto& [height, width, channels, fit, filter, margin, bgr, mean, stddev] = *result.preparation;
    if (result.image() != Shape{height, width, channels}) {
      refuse(fmt::format("pictures are prepared as [{}, {}, {}], the network reads {}", height, width, channels,
                         result.image().str()),
             "metadata qfw.preparation", "the file is damaged");
    }
  }
  return result;
}

void Reader::read_inputs() {
  const pb::GraphProto& graph = model_.graph();
  if (graph.input_size() != 1) refuse(fmt::format("{} inputs; one, images or pixels, is expected", graph.input_size()));
  const pb::ValueInfoProto& input = graph.input(0);
  const std::string where = "input " + quoted(input.name());
  const bool pixels = input.name() == "pixels";
  if (!pixels && input.name() != "images") refuse("it is neither images nor pixels", where);
  const pb::TypeProto::Tensor& type = input.type().tensor_type();
  if (type.elem_type() != (pixels ? Type::UINT8 : Type::FLOAT)) {
    refuse(fmt::format("its elements are of type {}", type.elem_type()), where);
  }
  if (type.shape().dim_size() != 4) refuse(fmt::format("{} dimensions, 4 are expected", type.shape().dim_size()), where);
  Dims dims;
  for (int axis = 1; axis < 4; ++axis) {
    const std::int64_t extent = type.shape().dim(axis).dim_value();
    if (extent < 1 || extent > largest_extent) refuse(fmt::format("dimension {} is {}", axis, extent), where);
    dims.push_back(extent);
  }
  // Of images in the file's layout: it is told by whether a transposition follows.
  bool nhwc = pixels;
  for (const pb::NodeProto& node : graph.node()) {
    nhwc = nhwc || (node.op_type() == "Transpose" && node.input_size() == 1 && node.input(0) == "images" && is_to_nchw(node));
  }
  image_ = nhwc ? Shape{batch_, dims[0], dims[1], dims[2]} : Shape{batch_, dims[1], dims[2], dims[0]};
  const Use images = maker_.input("images", {image_, DType::f32});
  values_[input.name()] = Value{.is = pixels ? Value::Is::pixel : Value::Is::number, .use = images, .nhwc = nhwc, .rank = 4};
}

void Reader::read_initializers() {
  for (const pb::TensorProto& tensor : model_.graph().initializer()) {
    if (!values_.emplace(tensor.name(), constant_of(tensor)).second) {
      refuse("the name stands for two values", "initializer " + quoted(tensor.name()));
    }
  }
}

void Reader::record(const pb::NodeProto& node, Any result) {
  if (node.output_size() != 1) refuse(fmt::format("{} outputs, one is expected", node.output_size()));
  if (auto* constant = std::get_if<Constant>(&result)) constant->value = node.output(0);
  if (!values_.emplace(node.output(0), std::move(result)).second) {
    refuse(fmt::format("the name {} stands for two values", quoted(node.output(0))));
  }
}

void Reader::account(std::size_t bytes) {
  constant_bytes_ += static_cast<double>(bytes);
  if (constant_bytes_ > most_constant_bytes_) refuse("its constants take too much memory");
}

void Reader::translate(const pb::NodeProto& node) {
  node_ = &node;
  read_.assign(static_cast<std::size_t>(node.attribute_size()), false);
  if (!node.domain().empty() && node.domain() != "ai.onnx") refuse("an operator of " + quoted(node.domain()));
  using Read = Any (*)(Reader&);
  static const std::map<std::string_view, Read> operators = {
      {"Abs", [](Reader& r) { return r.unary(Op::abs); }},
      {"Add", [](Reader& r) { return r.binary(Op::add); }},
      {"Cast", [](Reader& r) { return r.cast(); }},
      {"Clip", [](Reader& r) { return r.clip(); }},
      {"ConvInteger", [](Reader& r) { return r.product(true); }},
      {"CumSum", [](Reader& r) { return r.cumulate(); }},
      {"DequantizeLinear", [](Reader& r) { return r.dequantize(); }},
      {"Div", [](Reader& r) { return r.binary(Op::divide); }},
      {"Equal", [](Reader& r) { return r.compare(Op::equal); }},
      {"Floor", [](Reader& r) { return r.unary(Op::floor); }},
      {"Gather", [](Reader& r) { return r.gather(); }},
      {"Identity",
       [](Reader& r) -> Any {
         r.expect_operands(1, 1);
         return r.value(0);
       }},
      {"Less", [](Reader& r) { return r.compare(Op::less); }},
      {"LessOrEqual", [](Reader& r) { return r.compare(Op::less_equal); }},
      {"MatMulInteger", [](Reader& r) { return r.product(false); }},
      {"Max", [](Reader& r) { return r.binary(Op::maximum); }},
      {"MaxPool", [](Reader& r) { return r.max_pool(); }},
      {"Min", [](Reader& r) { return r.binary(Op::minimum); }},
      {"Mul", [](Reader& r) { return r.binary(Op::multiply); }},
      {"Neg", [](Reader& r) { return r.unary(Op::negate); }},
      {"Relu", [](Reader& r) { return r.unary(Op::relu); }},
      {"Reshape", [](Reader& r) { return r.reshape(); }},
      {"Round", [](Reader& r) { return r.unary(Op::round_even); }},
      {"Sqrt", [](Reader& r) { return r.unary(Op::sqrt); }},
      {"Sub", [](Reader& r) { return r.binary(Op::subtract); }},
      {"Transpose", [](Reader& r) { return r.transpose(); }},
      {"Where", [](Reader& r) { return r.where(); }},
  };
  const auto known = operators.find(node.op_type());
  if (known == operators.end()) refuse("no file of the exact form has such a node");
  Any result = known->second(*this);
  expect_no_more_attributes();
  record(node, std::move(result));
}

// ---- what a node says --------------------------------------------------------------------------------------------------

std::string Reader::path() const {
  const std::size_t end = node_->name().rfind('/');
  return end == std::string::npos ? std::string() : node_->name().substr(0, std::min(end, longest_path));
}

int Reader::operands() const { return node_->input_size(); }

void Reader::expect_operands(int least, int most) {
  if (operands() < least || operands() > most) refuse(fmt::format("{} operands, {} expected", operands(), least));
}

const Reader::Any& Reader::operand(int index) {
  const std::string& name = node_->input(index);
  const auto found = values_.find(name);
  if (found == values_.end()) refuse(fmt::format("its operand {} is not there yet", quoted(name)));
  return found->second;
}

bool Reader::is_constant(int index) { return std::holds_alternative<Constant>(operand(index)); }

const Reader::Value& Reader::value(int index) {
  const auto* found = std::get_if<Value>(&operand(index));
  if (found == nullptr) refuse(fmt::format("its operand {} is a constant", quoted(node_->input(index))));
  return *found;
}

const Reader::Value& Reader::floats(int index) {
  const Value& found = value(index);
  if (found.is != Value::Is::number) refuse(fmt::format("its operand {} is no float", quoted(node_->input(index))));
  return found;
}

const Constant& Reader::constant(int index) {
  const auto* found = std::get_if<Constant>(&operand(index));
  if (found == nullptr) refuse(fmt::format("its operand {} is no constant", quoted(node_->input(index))));
  return *found;
}

Use Reader::number(int index, const Value& beside) {
  if (is_constant(index)) return constant_beside(constant(index), beside);
  const Value& found = floats(index);
  if (found.rank != beside.rank || found.nhwc != beside.nhwc) {
    refuse(fmt::format("its operand {} lies otherwise than the other", quoted(node_->input(index))));
  }
  return found.use;
}

std::int64_t Reader::attribute(const char* name, std::int64_t otherwise) {
  for (int i = 0; i < node_->attribute_size(); ++i) {
    if (node_->attribute(i).name() != name) continue;
    if (node_->attribute(i).type() != pb::AttributeProto::INT) refuse(fmt::format("its {} is no number", name));
    read_[static_cast<std::size_t>(i)] = true;
    return node_->attribute(i).i();
  }
  return otherwise;
}

std::vector<std::int64_t> Reader::attributes(const char* name, std::vector<std::int64_t> otherwise) {
  const std::size_t count = otherwise.size();
  for (int i = 0; i < node_->attribute_size(); ++i) {
    if (node_->attribute(i).name() != name) continue;
    const auto& found = node_->attribute(i);
    if (found.type() != pb::AttributeProto::INTS || static_cast<std::size_t>(found.ints_size()) != count) {
      refuse(fmt::format("its {} are no {} numbers", name, count));
    }
    for (const std::int64_t each : found.ints()) {
      if (each < 0 || each > largest_extent) refuse(fmt::format("a number of its {} is {}", name, each));
    }
    read_[static_cast<std::size_t>(i)] = true;
    return {found.ints().begin(), found.ints().end()};
  }
  return otherwise;
}

void Reader::expect(const char* name, std::int64_t only, std::int64_t otherwise) {
  if (const std::int64_t found = attribute(name, otherwise); found != only)
    refuse(fmt::format("its {} is {}, not {}", name, found, only));
}

void Reader::expect_no_more_attributes() {
  for (std::size_t i = 0; i < read_.size(); ++i) {
    if (!read_[i]) refuse(fmt::format("its attribute {} is not known", quoted(node_->attribute(static_cast<int>(i)).name())));
  }
}

// ---- constants ---------------------------------------------------------------------------------------------------------

/// One number without a shape; else what stands for one image, in the order of the graph.
Use Reader::constant_beside(const Constant& constant, const Value& beside) {
  if (!constant.is(Type::FLOAT)) refuse(fmt::format("the constant {} is no float", quoted(constant.name)));
  const std::vector<float> values = constant.floats();
  if (values.size() == 1) return maker_.number(values[0]);
  if (beside.nhwc) refuse(fmt::format("the constant {} meets images that lie as [N, H, W, C]", quoted(constant.name)));
  Dims dims = constant.dims;
  while (static_cast<int>(dims.size()) > beside.rank && dims.front() == 1) dims.erase(dims.begin());
  if (static_cast<int>(dims.size()) > beside.rank || (static_cast<int>(dims.size()) == beside.rank && dims.front() != 1)) {
    refuse(
        fmt::format("the constant {} of {} meets values of rank {}", quoted(constant.name), shown(constant.dims), beside.rank));
  }
  if (static_cast<int>(dims.size()) == beside.rank) dims.erase(dims.begin());
  Shape shape(dims);
  std::vector<float> ordered = values;
  if (beside.rank == 4) {
    dims.insert(dims.begin(), 3 - dims.size(), 1);
    const std::int64_t depth = dims[0], area = dims[1] * dims[2];
    for (std::int64_t c = 0; c < depth; ++c) {
      for (std::int64_t i = 0; i < area; ++i) {
        ordered[static_cast<std::size_t>(i * depth + c)] = values[static_cast<std::size_t>(c * area + i)];
      }
    }
    shape = area == 1 ? Shape{depth} : Shape{dims[1], dims[2], depth};
  }
  const std::string key = constant.value + shape.str();
  if (const auto found = constants_.find(key); found != constants_.end()) return found->second;
  account(ordered.size() * sizeof(float));
  std::vector<std::byte> bytes(ordered.size() * sizeof(float));
  std::memcpy(bytes.data(), ordered.data(), bytes.size());
  return constants_[key] = maker_.tensor(constant.name, {shape, DType::f32}, std::move(bytes), path());
}

/// As s8, HWIO or IO, without the zero point.
Use Reader::weights(const Constant& stored, std::int64_t zero, bool convolution) {
  const std::size_t rank = convolution ? 4 : 2;
  if (stored.dims.size() != rank) refuse(fmt::format("weights of {}", shown(stored.dims)));
  const Dims& d = stored.dims;
  const Shape shape = convolution ? Shape{d[2], d[3], d[1], d[0]} : Shape{d[0], d[1]};
  const std::string key = fmt::format("{}{}-{}", stored.value, shape.str(), zero);
  if (const auto found = constants_.find(key); found != constants_.end()) return found->second;
  account(stored.bytes.size());
  const std::vector<int> codes = stored.codes();
  std::vector<std::byte> bytes(codes.size());
  for (std::size_t at = 0; at < codes.size(); ++at) {
    const std::int64_t code = codes[at] - zero;
    if (code < -128 || code > 127) refuse(fmt::format("the code {} of weights does not fit in 8 bits", code));
    auto to = static_cast<std::int64_t>(at);
    if (convolution) {
      const std::int64_t tap = to % (d[2] * d[3]), in = to / (d[2] * d[3]) % d[1], out = to / (d[1] * d[2] * d[3]);
      to = (tap * d[1] + in) * d[0] + out;
    }
    bytes[static_cast<std::size_t>(to)] = static_cast<std::byte>(static_cast<std::int8_t>(code));
  }
  return constants_[key] = maker_.tensor(stored.name, {shape, DType::s8}, std::move(bytes), path());
}

/// Codes that a product reads: u8, or s8 where what is stored is 128 more.
Use Reader::codes(const Value& value, std::int64_t zero) {
  if (value.is != Value::Is::code) refuse(fmt::format("its operand {} is no code", quoted(node_->input(0))));
  if (zero == 0) {
    if (!maker_.fits(value.use, DType::u8)) refuse("its operand's codes are not known to be whole numbers from 0 to 255");
    return maker_.add(Op::cast, {value.use}, DType::u8, path());
  }
  if (zero != 128 || value.below.node < 0) refuse(fmt::format("its operand's zero point is {}", zero));
  if (!maker_.fits(value.below, DType::s8)) refuse("its operand's codes are not known to be whole numbers from -128 to 127");
  return maker_.add(Op::cast, {value.below}, DType::s8, path());
}

/// 32-bit sums never overflow: whatever the images, in each channel.
void Reader::check_sums(Use src, Use weights) {
  const TensorType& type = maker_.type(weights);
  const ConstantTensor& tensor = maker_.graph().tensors[static_cast<std::size_t>(maker_.node(weights).as<Slot>().index)];
  const std::int64_t outputs = type.shape.channels();
  const std::int64_t largest = maker_.type(src).dtype == DType::u8 ? 255 : 128;
  std::vector<std::int64_t> sums(static_cast<std::size_t>(outputs));
  for (std::size_t i = 0; i < tensor.bytes->size(); ++i) {
    sums[i % sums.size()] += std::abs(static_cast<int>(static_cast<std::int8_t>((*tensor.bytes)[i])));
  }
  if (std::ranges::max(sums) * largest > std::numeric_limits<std::int32_t>::max()) refuse("its sums do not fit in 32 bits");
}

// ---- operators ---------------------------------------------------------------------------------------------------------

Reader::Any Reader::unary(Op op) {
  expect_operands(1, 1);
  const Value& x = floats(0);
  return Value{.use = maker_.add(op, {x.use}, {}, path()), .nhwc = x.nhwc, .rank = x.rank};
}

Reader::Any Reader::binary(Op op) {
  expect_operands(2, 2);
  if (op == Op::add && !is_constant(0) && value(0).is == Value::Is::pixel) return add_pixels(value(0), constant(1));
  const Value& beside = is_constant(0) ? floats(1) : floats(0);
  const Use first = number(0, beside), second = number(1, beside);
  Attributes attributes;
  if (op == Op::minimum || op == Op::maximum) attributes = Ties::half;
  Value result{.use = maker_.add(op, {first, second}, attributes, path()), .nhwc = beside.nhwc, .rank = beside.rank};
  const Node& other = maker_.node(second);
  if (op == Op::add && other.op == Op::constant && other.as<Number>().value == 128) result.below = first;
  return result;
}

Reader::Any Reader::compare(Op op) {
  expect_operands(2, 2);
  const Value& beside = is_constant(0) ? floats(1) : floats(0);
  const Use first = number(0, beside), second = number(1, beside);
  Value result{
      .is = Value::Is::truth, .use = maker_.add(op, {first, second}, {}, path()), .nhwc = beside.nhwc, .rank = beside.rank};
  const Node &magnitude = maker_.node(first), &limit = maker_.node(second);
  if (op == Op::less && magnitude.op == Op::abs && limit.op == Op::constant && limit.as<Number>().value == smallest_normal) {
    result.subnormal_in = magnitude.inputs[0];
  }
  return result;
}

/// 0 * x, of the same sign.
bool Reader::is_zero_of(Use zero, Use x) const {
  const Node& product = maker_.node(zero);
  if (product.op != Op::multiply || !(product.inputs[0] == x)) return false;
  const Node& factor = maker_.node(product.inputs[1]);
  return factor.op == Op::constant && factor.as<Number>().value == 0 && !std::signbit(factor.as<Number>().value);
}

/// Zero in place of subnormal numbers, which are zero here anyway; or a choice.
Reader::Any Reader::where() {
  expect_operands(3, 3);
  const Value condition = value(0);
  if (condition.is != Value::Is::truth) refuse(fmt::format("its operand {} is no condition", quoted(node_->input(0))));
  const Use chosen = number(1, condition), otherwise = number(2, condition);
  if (condition.subnormal_in.node >= 0 && condition.subnormal_in == otherwise && is_zero_of(chosen, otherwise)) return value(2);
  return Value{.use = maker_.add(Op::select, {condition.use, chosen, otherwise}, {}, path()),
               .nhwc = condition.nhwc,
               .rank = condition.rank};
}

Reader::Any Reader::clip() {
  expect_operands(3, 3);
  const Value& x = floats(0);
  for (int i = 1; i < 3; ++i) {
    if (constant(i).count() != 1) refuse("its limits are no numbers");
  }
  const Use low = number(1, x), high = number(2, x);
  const Use raised = maker_.add(Op::maximum, {x.use, low}, Ties::half, path());
  return Value{.use = maker_.add(Op::minimum, {raised, high}, Ties::half, path()), .nhwc = x.nhwc, .rank = x.rank};
}

Reader::Any Reader::cast() {
  expect_operands(1, 1);
  const std::int64_t to = attribute("to", 0);
  attribute("saturate", 1);
  if (is_constant(0)) return cast_constant(constant(0), to);
  Value x = value(0);
  const DType dtype = maker_.type(x.use).dtype;
  const auto convert = [&](DType wanted) {
    if (dtype != wanted) x.use = maker_.add(Op::cast, {x.use}, wanted, path());
    x.below = {};
    x.is = Value::Is::number;
    return x;
  };
  if (x.is == Value::Is::number && to == Type::FLOAT) return convert(DType::f32);
  if (x.is == Value::Is::number && to == Type::BFLOAT16) return convert(DType::bf16);
  if (x.is == Value::Is::number && to == Type::FLOAT16) return convert(DType::f16);
  if (x.is == Value::Is::sum && to == Type::FLOAT) return convert(DType::f32);
  if (x.is == Value::Is::truth && to == Type::FLOAT) return convert(DType::f32);
  if (x.is == Value::Is::number && to == Type::BOOL) {
    x.is = Value::Is::truth;
    return x;
  }
  if (x.is == Value::Is::number && to == Type::UINT8 && dtype == DType::f32) {
    x.is = Value::Is::code;
    return x;
  }
  if (x.is == Value::Is::number && to == Type::DOUBLE && dtype == DType::f32 && !x.nhwc) {
    x.is = Value::Is::doubled;
    return x;
  }
  if (x.is == Value::Is::pixel && x.step == 0 && to == Type::INT32) {
    x.step = 1;
    return x;
  }
  if (x.is == Value::Is::total && to == Type::FLOAT) {
    const std::string within = path();  // LAYER/sum, or sum
    x.use =
        maker_.add(Op::sum, {x.use}, Reduce{x.to}, within.substr(0, within.size() - std::min<std::size_t>(within.size(), 4)));
    x.is = Value::Is::summed;
    return x;
  }
  refuse(fmt::format("a cast to type {} of {}", to, quoted(node_->input(0))));
}

/// Codes of weights, behind a DequantizeLinear with scale 1.
Reader::Any Reader::cast_constant(const Constant& constant, std::int64_t to) {
  if (to != Type::UINT8) refuse(fmt::format("a cast of a constant to type {}", to));
  account(static_cast<std::size_t>(constant.count()));
  Constant result{.name = constant.name, .type = Type::UINT8, .dims = constant.dims};
  if (!constant.is(Type::FLOAT)) {
    for (const int code : constant.codes()) {
      if (code < 0) refuse("a negative code");
      result.bytes.push_back(static_cast<std::byte>(code));
    }
    return result;
  }
  for (const float code : constant.floats()) {
    if (code != std::floor(code) || code < 0 || code > 255) refuse(fmt::format("the code {}", code));
    result.bytes.push_back(static_cast<std::byte>(static_cast<int>(code)));
  }
  return result;
}

Reader::Any Reader::dequantize() {
  expect_operands(2, 3);
  expect("axis", 1, 1);
  expect("block_size", 0, 0);
  const std::vector<int> codes = constant(0).codes();
  const std::vector<float> scale = constant(1).floats();
  const std::vector<int> zero = operands() == 3 ? constant(2).codes() : std::vector<int>{0};
  if (scale.size() != 1 || zero.size() != 1) refuse("its scale is not one number");
  account(codes.size() * sizeof(float));
  Constant result{.name = constant(0).name, .type = Type::FLOAT, .dims = constant(0).dims};
  result.bytes.resize(codes.size() * sizeof(float));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const float value = static_cast<float>(codes[i] - zero[0]) * scale[0];
    if (!std::isfinite(value)) refuse(fmt::format("an element becomes {}", value));
    std::memcpy(&result.bytes[i * sizeof(float)], &value, sizeof value);
  }
  return result;
}

Reader::Any Reader::product(bool convolution) {
  expect_operands(2, 4);
  const auto zero_of = [&](int index) -> std::int64_t {
    if (operands() <= index || node_->input(index).empty()) return 0;
    const std::vector<int> zero = constant(index).codes();
    if (zero.size() != 1) refuse("a zero point for each channel");
    return zero[0];
  };
  const Value x = value(0);
  if (x.rank != (convolution ? 4 : 2) || x.nhwc) refuse(fmt::format("its operand has {} dimensions", x.rank));
  const Use src = codes(x, zero_of(2)), weight = weights(constant(1), zero_of(3), convolution);
  check_sums(src, weight);
  Attributes attributes = Dense{};
  if (convolution) {
    const Shape& kernel = maker_.type(weight).shape;
    const Dims window = this->attributes("kernel_shape", {kernel[0], kernel[1]});
    if (window != Dims{kernel[0], kernel[1]})
      refuse(fmt::format("a window of {} and weights of {}", shown(window), kernel.str()));
    const Dims stride = this->attributes("strides", {1, 1}), pads = this->attributes("pads", {0, 0, 0, 0});
    if (this->attributes("dilations", {1, 1}) != Dims{1, 1}) refuse("its dilations are not 1");
    const std::int64_t groups = attribute("group", 1);
    if (stride[0] < 1 || stride[1] < 1) refuse("a stride of 0");
    if (groups < 1 || groups > largest_extent) refuse(fmt::format("{} groups", groups));
    attributes = Conv2d{.stride = {stride[0], stride[1]},
                        .padding = {{pads[0], pads[1]}, {pads[2], pads[3]}},
                        .groups = groups,
                        .src_signed = maker_.type(src).dtype == DType::s8};
  }
  const Use product = maker_.add(convolution ? Op::conv2d : Op::dense, {src, weight}, attributes, path());
  products_.push_back(product);
  return Value{.is = Value::Is::sum, .use = product, .rank = x.rank};
}

Reader::Any Reader::max_pool() {
  expect_operands(1, 1);
  const Value& x = floats(0);
  if (x.rank != 4 || x.nhwc) refuse("its operand is no image");
  const Dims window = attributes("kernel_shape", {0, 0}), stride = attributes("strides", {1, 1}),
             pads = attributes("pads", {0, 0, 0, 0});
  if (attributes("dilations", {1, 1}) != Dims{1, 1}) refuse("its dilations are not 1");
  expect("ceil_mode", 0, 0);
  expect("storage_order", 0, 0);
  if (std::min({window[0], window[1], stride[0], stride[1]}) < 1) refuse("a window or stride of 0");
  const Pool pool{
      .window = {window[0], window[1]}, .stride = {stride[0], stride[1]}, .padding = {{pads[0], pads[1]}, {pads[2], pads[3]}}};
  return Value{.use = maker_.add(Op::max_pool, {x.use}, pool, path()), .rank = 4};
}

/// [0, C, ...]: the images' axis stays as it is.
Reader::Any Reader::reshape() {
  expect_operands(2, 2);
  expect("allowzero", 0, 0);
  Value x = value(0);
  const Dims dims = constant(1).integers();
  if (x.is == Value::Is::doubled) return reshape_doubled(dims);
  if (x.is == Value::Is::summed) {
    Dims expected{0};
    for (int axis = 1; axis < x.to.rank(); ++axis) expected.push_back(x.to[axis_here(x.to.rank(), axis)]);
    if (dims != expected) refuse(fmt::format("a sum of {} becomes {}", shown(expected), shown(dims)));
    x.is = Value::Is::number;
    x.rank = x.to.rank();
    return x;
  }
  if (x.is != Value::Is::number) refuse(fmt::format("its operand {} is no float", quoted(node_->input(0))));
  const Shape from = maker_.type(x.use).shape;
  if (x.rank == 4 && !x.nhwc && from[1] * from[2] != 1) refuse("it would mix channels and places");
  if (dims.size() < 2 || dims.size() > 4 || dims[0] != 0) refuse(fmt::format("a shape of {}", shown(dims)));
  const std::int64_t elements = from.count() / std::max<std::int64_t>(1, from[0]);
  Dims extents{from[0]};
  std::int64_t known = 1, open = 0;
  for (std::size_t i = 1; i < dims.size(); ++i) {
    const std::int64_t extent = dims[i];
    open += extent == -1;
    if (extent < -1 || extent == 0 || extent > elements || open > 1) refuse(fmt::format("a shape of {}", shown(dims)));
    known = extent == -1 ? known : known * extent;
    if (known > elements) refuse(fmt::format("a shape of {} of {} elements", shown(dims), elements));
    extents.push_back(extent);
  }
  for (std::int64_t& extent : extents) extent = extent == -1 ? elements / known : extent;
  const bool flat = extents.size() == 4 && extents[2] * extents[3] == 1;  // as [C, 1, 1]
  if (flat) std::swap(extents[1], extents[3]);
  x.use = maker_.add(Op::reshape, {x.use}, Shape(extents), path());
  x.rank = static_cast<int>(extents.size());
  x.nhwc = x.rank == 4 && !flat;
  x.below = {};
  return x;
}

/// [0, what is kept..., -1]: the rest is summed up, in the order of the graph's elements.
Reader::Any Reader::reshape_doubled(const Dims& dims) {
  Value x = value(0);
  const Shape& from = maker_.type(x.use).shape;
  const int rank = from.rank();
  if (x.order.empty()) {
    for (int axis = 0; axis < rank; ++axis) x.order.push_back(axis);
  }
  Dims to(from.begin(), from.end());
  const int kept = static_cast<int>(dims.size()) - 1;
  bool matches = kept >= 1 && kept < rank && dims.front() == 0 && dims.back() == -1;
  int before = 0;
  for (int place = 1; matches && place < rank; ++place) {
    const int axis = axis_here(rank, static_cast<int>(x.order[static_cast<std::size_t>(place)]));
    if (place < kept) {
      matches = dims[static_cast<std::size_t>(place)] == from[axis];
    } else {
      matches = axis > before;
      before = axis;
      to[static_cast<std::size_t>(axis)] = 1;
    }
  }
  if (!matches) refuse(fmt::format("a sum of {} by way of {}", from.str(), shown(dims)));
  x.is = Value::Is::rows;
  x.rank = kept + 1;
  x.to = Shape(to);
  return x;
}

/// From one layout of images to the other: nothing happens in the graph.
Reader::Any Reader::transpose() {
  expect_operands(1, 1);
  Value x = value(0);
  const Dims order = attributes("perm", Dims(static_cast<std::size_t>(x.rank), 0));
  if (x.is == Value::Is::doubled && x.order.empty()) {
    Dims sorted = order;
    std::ranges::sort(sorted);
    for (std::size_t axis = 0; axis < sorted.size(); ++axis) {
      if (sorted[axis] != static_cast<std::int64_t>(axis) || order[0] != 0) refuse(fmt::format("the order {}", shown(order)));
    }
    x.order = order;
    return x;
  }
  if (x.is != Value::Is::number || x.rank != 4 || order != (x.nhwc ? Dims{0, 3, 1, 2} : Dims{0, 2, 3, 1}))
    refuse(fmt::format("the order {}", shown(order)));
  x.nhwc = !x.nhwc;
  return x;
}

Reader::Any Reader::cumulate() {
  expect_operands(2, 2);
  expect("exclusive", 0, 0);
  expect("reverse", 0, 0);
  Value x = value(0);
  if (x.is != Value::Is::rows || constant(1).integers() != Dims{x.rank - 1}) refuse("only the last axis of rows is added up");
  x.is = Value::Is::running;
  return x;
}

Reader::Any Reader::gather() {
  expect_operands(2, 2);
  if (is_constant(0)) return gather_pixels(value(1));
  Value x = value(0);
  if (x.is == Value::Is::pixel) {  // red, green, blue in the other order
    expect("axis", 3, 0);
    if (x.step != 0 || constant(1).integers() != Dims{2, 1, 0} || image_[3] != 3) refuse("of pixels");
    x.below = x.use;
    return x;
  }
  if (x.is != Value::Is::running || constant(1).integers() != Dims{-1}) refuse("only the last of running sums is taken");
  expect("axis", x.rank - 1, 0);
  x.is = Value::Is::total;
  return x;
}

/// Places of a table for each channel.
Reader::Any Reader::add_pixels(const Value& pixels, const Constant& starts) {
  Value x = pixels;
  Dims expected;
  for (std::int64_t channel = 0; channel < image_[3]; ++channel) expected.push_back(256 * channel);
  if (x.step != 1 || starts.integers() != expected || starts.dims.size() != 1) refuse("of pixels");
  x.step = 2;
  return x;
}

/// What pixels become: it must be what the preparation says.
Reader::Any Reader::gather_pixels(const Value& places) {
  expect("axis", 0, 0);
  Value x = places;
  if (x.is != Value::Is::pixel || x.step == 0) refuse("only a table of pixels is read");
  if (std::exchange(has_table_, true)) refuse("a second table of pixels");
  if (!metadata_.preparation) refuse("the metadata do not say how pictures are prepared");
  if (metadata_.preparation->channels != image_[3]) {
    refuse(
        fmt::format("pictures are prepared with {} channels, the network reads {}", metadata_.preparation->channels, image_[3]),
        "metadata qfw.preparation", "the file is damaged");
  }
  const auto tables = image::tables_of(*metadata_.preparation);
  const std::vector<float> table = constant(0).floats();
  const bool shared = x.step == 1;
  const bool bgr = x.below.node >= 0;
  if (metadata_.preparation->bgr != bgr || table.size() != 256 * (shared ? 1 : tables.size())) {
    refuse("the table is not that of the preparation");
  }
  for (std::size_t channel = 0; channel < tables.size(); ++channel) {
    const float* found = table.data() + (shared ? 0 : 256 * channel);
    if (!std::equal(tables[channel].begin(), tables[channel].end(), found)) refuse("the table is not that of the preparation");
  }
  return Value{.use = x.use, .nhwc = true, .rank = 4};
}

// ---- sites -------------------------------------------------------------------------------------------------------------

/// By the names of sums and results.
std::vector<QuantizedSite> Reader::sites() const {
  const auto value_at = [&](const std::string& name) {
    const auto found = values_.find(name);
    const Value* value = found == values_.end() ? nullptr : std::get_if<Value>(&found->second);
    return value == nullptr || value->is != Value::Is::number ? Use{} : value->use;
  };
  std::map<int, std::string> paths;  // by node of the sums' matmul
  for (const auto& [name, any] : values_) {
    const Value* value = std::get_if<Value>(&any);
    if (value == nullptr || !ends_with_sums(name)) continue;
    const Node& cast = maker_.node(value->use);
    if (cast.op == Op::cast) paths[cast.inputs[0].node] = name.substr(0, name.rfind('/'));
  }
  std::map<int, Use> factors;  // by node of what they are multiplied with
  for (const Node& node : maker_.graph().nodes) {
    if (node.op == Op::multiply) factors[node.inputs[0].node] = node.inputs[1];
  }
  std::vector<QuantizedSite> sites;
  for (const Use matmul : products_) {
    const auto path = paths.find(matmul.node);
    if (path == paths.end()) continue;
    const Node& node = maker_.node(matmul);
    QuantizedSite site;
    site.path = path->second;
    site.op = node.op;
    if (node.op == Op::conv2d) site.conv = node.as<Conv2d>();
    site.matmul = matmul;
    site.src_type = {maker_.type(node.inputs[0]).shape, DType::f32};
    site.weights_type = {maker_.type(node.inputs[1]).shape, DType::f32};
    site.dst_type = {node.outputs[0].shape, DType::f32};
    site.src_signed = maker_.type(node.inputs[0]).dtype == DType::s8;
    site.phase = metadata_.phase;
    site.integer = true;
    site.sums = value_at(site.path + "/sums");
    site.product = value_at(site.path + "/product");
    if (const auto factor = factors.find(site.sums.node); factor != factors.end()) site.factor = factor->second;
    if (const auto grids = metadata_.grids.find(site.path); grids != metadata_.grids.end()) {
      site.src.grid = grids->second.first;
      site.weights.grid = grids->second.second;
    }
    sites.push_back(std::move(site));
  }
  return sites;
}

}  // namespace qfw::onnx
