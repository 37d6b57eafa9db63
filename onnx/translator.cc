#include "translator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <numeric>

#include "qfw/error.h"
#include "qfw/preparation.h"

namespace qfw::onnx {

namespace {

using Type = pb::TensorProto;

std::vector<std::int64_t> onnx_dims(const Shape& shape) {
  Dims dims(static_cast<std::size_t>(shape.rank()));
  for (int axis = 0; axis < shape.rank(); ++axis) dims[static_cast<std::size_t>(onnx_axis(shape.rank(), axis))] = shape[axis];
  return dims;
}

/// NHWC elements in the order of NCHW.
std::vector<float> in_nchw(const std::vector<float>& values, const Shape& shape) {
  std::vector<float> result(values.size());
  const std::int64_t area = shape[1] * shape[2], depth = shape[3];
  for (std::int64_t n = 0; n < shape[0]; ++n) {
    for (std::int64_t i = 0; i < area; ++i) {
      for (std::int64_t c = 0; c < depth; ++c) {
        result[static_cast<std::size_t>((n * depth + c) * area + i)] =
            values[static_cast<std::size_t>((n * area + i) * depth + c)];
      }
    }
  }
  return result;
}

Shape padded(const Shape& shape, int rank) {
  Dims extents(static_cast<std::size_t>(std::max(0, rank - shape.rank())), 1);
  extents.insert(extents.end(), shape.begin(), shape.end());
  return Shape(extents);
}

}  // namespace

int onnx_axis(int rank, int axis) {
  constexpr std::array<int, 4> to_nchw{0, 2, 3, 1};
  return rank == 4 ? to_nchw[static_cast<std::size_t>(axis)] : axis;
}

Translator::Translator(const FrozenModel& model, const WriteOptions& options, File& file)
    : model_(model),
      options_(options),
      file_(file),
      constants_(model.graph),
      graph_(model.graph),
      users_(model.graph.nodes.size()) {
  for (int number = 0; number < static_cast<int>(graph_.nodes.size()); ++number) {
    for (const Use use : node(number).inputs) users_[static_cast<std::size_t>(use.node)].push_back(number);
  }
  for (const Fetch& fetch : graph_.fetches) users_[static_cast<std::size_t>(fetch.use.node)].push_back(-1);
}

void Translator::refuse(int number, std::string_view what, std::string_view remedy) const {
  const std::string& path = node(number).path;
  fail(Error::Category::usage, "onnx", what, path.empty() ? "" : "layer " + path, remedy);
}

int Translator::only_user(Use use) const {
  const auto& users = users_[static_cast<std::size_t>(use.node)];
  return users.size() == 1 ? users[0] : -1;
}

void Translator::run() {
  const Use logits = graph_.fetches.at(0).use;
  if (constants_.has(logits)) fail(Error::Category::usage, "onnx", "no image reaches the logits");
  const Value input = images();
  file_.output("logits", Type::FLOAT, options_.batch, {model_.classes()});
  file_.unique("logits");
  for (int number = 0; number < static_cast<int>(graph_.nodes.size()); ++number) {
    if (constants_.has({number, 0}) || !is_needed(number)) continue;
    if (node(number).op == Op::input) {
      finish(number, input);
    } else {
      translate(number);
    }
  }
  name_logits(logits);
}

/// The value is called so itself, unless it has a name that readers go by.
void Translator::name_logits(Use logits) {
  const std::string& name = value(logits).name;
  if (has_a_name_of_its_own(logits.node)) {
    pb::NodeProto& last = *file_.graph().add_node();
    last.set_op_type("Identity");
    last.set_name("logits");
    last.add_input(name);
    last.add_output("logits");
    return;
  }
  for (pb::NodeProto& each : *file_.graph().mutable_node()) {
    for (std::string& input : *each.mutable_input()) {
      if (input == name) input = "logits";
    }
    if (each.output(0) != name) continue;
    each.set_output(0, "logits");
    each.set_name("logits");
  }
}

// ---- names and operands ------------------------------------------------------------------------------------------------

std::string Translator::name_for(int number) const { return beside(number, name_of(node(number).op)); }

std::string Translator::beside(int number, std::string_view role) const {
  const std::string& path = node(number).path;
  return path.empty() ? std::string(role) : fmt::format("{}/{}", path, role);
}

const Translator::Value& Translator::value(Use use) const {
  const auto found = values_.find(use.node);
  if (found == values_.end() || use.output != 0) {
    fail(Error::Category::internal, "onnx", fmt::format("value %{}.{} is not translated", use.node, use.output),
         "layer " + node(use.node).path);
  }
  return found->second;
}

std::string Translator::operand(Use use, int rank) {
  if (constants_.has(use)) return constant(use, rank);
  const Value& found = value(use);
  if (graph_.type(use).shape.rank() != rank || found.zero != 0) {
    refuse(use.node, fmt::format("{} of {} meets values of rank {}", name_of(node(use.node).op), graph_.type(use).str(), rank),
           "ONNX files of qfw hold no such mixture");
  }
  return found.name;
}

std::string Translator::constant_name(Use use) const {
  const Node& made = node(use.node);
  if (made.op != Op::tensor) return name_for(use.node);
  return graph_.tensors[static_cast<std::size_t>(made.as<Slot>().index)].name;
}

/// One number has no shape; other constants have that of one image, and lie as images do where they meet some.
std::string Translator::constant(Use use, int rank) {
  std::string& name = constant_names_[{use.node, use.output, rank == 4 ? 4 : 0}];
  if (!name.empty()) return name;
  std::vector<float> values = constants_.numbers(use);
  if (values.size() == 1) {
    return name = node(use.node).op == Op::tensor ? file_.initializer(constant_name(use), {}, values) : file_.scalar(values[0]);
  }
  Shape shape = padded(graph_.type(use).shape, rank);
  if (shape.rank() > 1 && shape.rank() == rank && shape[0] == model_.batch() && shape[0] > 1) {  // one row for each image
    const std::size_t one = values.size() / static_cast<std::size_t>(shape[0]);
    for (std::size_t i = one; i < values.size(); ++i) {
      if (values[i] != values[i - one]) refuse(use.node, "a constant differs from image to image of a batch");
    }
    values.resize(one);
    Dims extents(shape.begin(), shape.end());
    extents[0] = 1;
    shape = Shape(extents);
  }
  if (shape.rank() == 4) values = in_nchw(values, shape);
  Dims dims = onnx_dims(shape);
  while (dims.size() > 1 && dims.front() == 1) dims.erase(dims.begin());
  return name = file_.initializer(constant_name(use), dims, values);
}

std::string Translator::channels(std::string_view wanted, const std::vector<float>& values, int rank) {
  Dims dims{static_cast<std::int64_t>(values.size())};
  if (rank == 4) dims.insert(dims.end(), {1, 1});
  return file_.initializer(wanted, dims, values);
}

Dims Translator::weights_dims(const Shape& shape) {
  return shape.rank() == 4 ? Dims{shape[3], shape[2], shape[0], shape[1]} : Dims(shape.begin(), shape.end());
}

// ---- what goes in ------------------------------------------------------------------------------------------------------

Translator::Value Translator::images() {
  const Shape image = model_.image();
  if (options_.pixels) return {pixels()};
  if (options_.nhwc) {
    file_.input("images", Type::FLOAT, options_.batch, {image[0], image[1], image[2]});
    return {file_.add("Transpose", {"images"}, "images/nchw", {{"perm", Dims{0, 3, 1, 2}}})};
  }
  file_.input("images", Type::FLOAT, options_.batch, {image[2], image[0], image[1]});
  return {"images"};
}

/// Tables of what each of 256 pixels becomes, one for all channels or one each.
std::string Translator::pixels() {
  if (!model_.preparation) {
    fail(Error::Category::usage, "onnx",
         "input = pixels is asked for, and the run's augment has no words for what it does to them", {},
         "write input = normalized");
  }
  const image::Preparation& preparation = *model_.preparation;
  const Shape image = model_.image();
  file_.input("pixels", Type::UINT8, options_.batch, {image[0], image[1], image[2]});
  std::string at = "pixels";
  if (preparation.bgr) at = file_.add("Gather", {at, file_.integers({2, 1, 0})}, "pixels/bgr", {{"axis", 3}});
  at = file_.add("Cast", {at}, "pixels/s32", {{"to", Type::INT32}});
  const auto tables = image::tables_of(preparation);
  const bool same = std::ranges::all_of(tables, [&](const auto& table) { return table == tables[0]; });
  std::vector<float> all;
  std::vector<std::int32_t> starts;
  for (std::size_t channel = 0; channel < (same ? 1 : tables.size()); ++channel) {
    starts.push_back(static_cast<std::int32_t>(all.size()));
    all.insert(all.end(), tables[channel].begin(), tables[channel].end());
  }
  if (!same) {
    const std::string first = file_.initializer("pixels/starts", Type::INT32, {static_cast<std::int64_t>(starts.size())},
                                                bytes_of(std::span<const std::int32_t>(starts)));
    at = file_.add("Add", {at, first}, "pixels/places");
  }
  const std::string table = file_.initializer("pixels/table", {static_cast<std::int64_t>(all.size())}, all);
  at = file_.add("Gather", {table, at}, "images/nhwc", {{"axis", 0}});
  return file_.add("Transpose", {at}, "images", {{"perm", Dims{0, 3, 1, 2}}});
}

// ---- nodes -------------------------------------------------------------------------------------------------------------

void Translator::translate(int number) {
  const auto function = [&](const char* op) {
    if (!takes_any_function()) {
      refuse(number,
             fmt::format("form = exact is asked for, and no two libraries agree on the bits of {}", name_of(node(number).op)),
             "write form = float, which is close");
    }
    elementwise(op, number);
  };
  switch (node(number).op) {
    case Op::add:
      return elementwise("Add", number);
    case Op::subtract:
      return elementwise("Sub", number);
    case Op::multiply:
      return elementwise("Mul", number);
    case Op::divide:
      return elementwise("Div", number);
    case Op::minimum:
      return clip(number);
    case Op::maximum:
      return is_lower_clip(number) ? void() : elementwise("Max", number);
    case Op::negate:
      return elementwise("Neg", number);
    case Op::relu:
      return elementwise("Relu", number);
    case Op::abs:
      return elementwise("Abs", number);
    case Op::sqrt:
      return elementwise("Sqrt", number);
    case Op::floor:
      return elementwise("Floor", number);
    case Op::round_even:
      return elementwise("Round", number);
    case Op::exp:
      return function("Exp");
    case Op::log:
      return function("Log");
    case Op::tanh:
      return function("Tanh");
    case Op::less:
      return compare("Less", number);
    case Op::less_equal:
      return compare("LessOrEqual", number);
    case Op::equal:
      return compare("Equal", number);
    case Op::select:
      return select(number);
    case Op::cast:
      return cast(number);
    case Op::reshape:
      return reshape(number);
    case Op::transpose:
      return transpose(number);
    case Op::broadcast_to:
      return broadcast_to(number);
    case Op::sum:
      return sum(number);
    case Op::reduce_max:
      return reduce_with("ReduceMax", number);
    case Op::reduce_min:
      return reduce_with("ReduceMin", number);
    case Op::conv2d:
    case Op::dense:
      return product(number);
    case Op::max_pool:
      return max_pool(number);
    default:
      refuse(number, fmt::format("ONNX files of qfw have no word for {}", name_of(node(number).op)));
  }
}

void Translator::elementwise(const char* op, int number) {
  const Node& made = node(number);
  const int rank = made.outputs[0].shape.rank();
  const std::string first = operand(made.inputs[0], rank);
  if (made.inputs.size() == 1) return finish(number, {file_.add(op, {first}, name_for(number))});
  finish(number, {file_.add(op, {first, operand(made.inputs[1], rank)}, name_for(number))});
}

/// The lower end of a clip, which becomes one node with its upper end.
bool Translator::is_lower_clip(int number) const {
  const Use result{number, 0};
  const int user = only_user(result);
  if (user < 0 || node(user).op != Op::minimum || !(node(user).inputs[0] == result)) return false;
  const Use low = node(number).inputs[1], high = node(user).inputs[1];
  return constants_.is_number(low) && constants_.is_number(high) && !constants_.has(node(number).inputs[0]) &&
         constants_.number(low) <= constants_.number(high);
}

void Translator::clip(int number) {
  const Use clipped = node(number).inputs[0];
  if (constants_.has(clipped) || node(clipped.node).op != Op::maximum || !is_lower_clip(clipped.node)) {
    return elementwise("Min", number);
  }
  const Node& lower = node(clipped.node);
  const std::string x = operand(lower.inputs[0], node(number).outputs[0].shape.rank());
  const std::string low = file_.scalar(constants_.number(lower.inputs[1])),
                    high = file_.scalar(constants_.number(node(number).inputs[1]));
  finish(number, {file_.add("Clip", {x, low, high}, beside(number, "clip"))});
}

void Translator::compare(const char* op, int number) {
  const Node& made = node(number);
  const int rank = made.outputs[0].shape.rank();
  const std::string truth =
      file_.add(op, {operand(made.inputs[0], rank), operand(made.inputs[1], rank)}, beside(number, "truth"));
  finish(number, {file_.add("Cast", {truth}, name_for(number), {{"to", Type::FLOAT}})});
}

void Translator::select(int number) {
  const Node& made = node(number);
  const int rank = made.outputs[0].shape.rank();
  const std::string truth = file_.add("Cast", {operand(made.inputs[0], rank)}, beside(number, "truth"), {{"to", Type::BOOL}});
  finish(number, {file_.add("Where", {truth, operand(made.inputs[1], rank), operand(made.inputs[2], rank)}, name_for(number))});
}

void Translator::convolution_attributes(const Node& conv, const Shape& weights) {
  const auto& [stride, padding, groups, src_signed] = conv.as<Conv2d>();
  file_.attribute({"kernel_shape", Dims{weights[0], weights[1]}});
  file_.attribute({"strides", Dims{stride[0], stride[1]}});
  file_.attribute({"pads", Dims{padding.low[0], padding.low[1], padding.high[0], padding.high[1]}});
  if (groups != 1) file_.attribute({"group", groups});
}

void Translator::max_pool(int number) {
  const auto& [window, stride, padding] = node(number).as<Pool>();
  const Value& from = value(node(number).inputs[0]);
  finish(number, {file_.add("MaxPool", {from.name}, name_for(number),
                            {{"kernel_shape", Dims{window[0], window[1]}},
                             {"strides", Dims{stride[0], stride[1]}},
                             {"pads", Dims{padding.low[0], padding.low[1], padding.high[0], padding.high[1]}}}),
                  from.zero});
}

/// In the order of the elements here, where that is another one than there.
void Translator::reshape(int number) {
  const Use source = node(number).inputs[0];
  const Shape &from = graph_.type(source).shape, &to = node(number).outputs[0].shape;
  const auto spread = [](const Shape& shape) { return shape.rank() == 4 && shape[1] * shape[2] != 1; };
  const auto& [given, zero] = value(source);
  if (to.rank() == 0 || to[0] != from[0])
    refuse(number, fmt::format("a reshape of {} to {} moves images", from.str(), to.str()));
  std::string at = given;
  if (spread(from)) at = file_.add("Transpose", {at}, beside(number, "nhwc"), {{"perm", Dims{0, 2, 3, 1}}});
  Dims dims = spread(to) ? Dims(to.begin(), to.end()) : onnx_dims(to);
  dims[0] = 0;  // as it is
  at = file_.add("Reshape", {at, file_.integers(dims)}, spread(to) ? beside(number, "reshape/nhwc") : name_for(number));
  if (spread(to)) at = file_.add("Transpose", {at}, name_for(number), {{"perm", Dims{0, 3, 1, 2}}});
  finish(number, {at, zero});
}

void Translator::transpose(int number) {
  const auto [a, b] = node(number).as<Axes>().swap;
  const int rank = node(number).outputs[0].shape.rank();
  if (a == 0 || b == 0) refuse(number, "a transposition moves images");
  Dims perm(static_cast<std::size_t>(rank));
  for (int axis = 0; axis < rank; ++axis) {
    const int from = axis == a ? b : axis == b ? a : axis;
    perm[static_cast<std::size_t>(onnx_axis(rank, axis))] = onnx_axis(rank, from);
  }
  const Value& from = value(node(number).inputs[0]);
  finish(number, {file_.add("Transpose", {from.name}, name_for(number), {{"perm", perm}}), from.zero});
}

void Translator::broadcast_to(int number) {
  const Shape& to = node(number).outputs[0].shape;
  if (graph_.type(node(number).inputs[0]).shape.rank() != to.rank()) refuse(number, "a broadcast moves images");
  Dims dims = onnx_dims(to);
  dims[0] = 1;  // stretches to the images there are
  const Value& from = value(node(number).inputs[0]);
  finish(number, {file_.add("Expand", {from.name, file_.integers(dims)}, name_for(number)), from.zero});
}

void Translator::reduce_with(const char* op, int number) {
  const Shape &from = graph_.type(node(number).inputs[0]).shape, &to = node(number).outputs[0].shape;
  if (to.rank() != from.rank()) refuse(number, fmt::format("a {} to {} moves images", name_of(node(number).op), to.str()));
  Dims axes;
  for (int axis = 1; axis < from.rank(); ++axis) {
    if (to[axis] != from[axis]) axes.push_back(onnx_axis(from.rank(), axis));
  }
  std::ranges::sort(axes);
  const std::string& x = value(node(number).inputs[0]).name;
  const bool as_operand = options_.opset >= 18 || std::string_view(op) == "ReduceSum";
  finish(number, {as_operand ? file_.add(op, {x, file_.integers(axes)}, name_for(number), {{"keepdims", 1}})
                             : file_.add(op, {x}, name_for(number), {{"axes", axes}, {"keepdims", 1}})});
}

}  // namespace qfw::onnx
