#include "exact.h"

#include <fmt/format.h>

#include <algorithm>

#include "packed_codes.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"
#include "qfw/preparation.h"

namespace qfw::onnx {

namespace {

using Type = pb::TensorProto;

constexpr int signed_zero = 128;  ///< what is stored for the code 0 of a grid with a sign

void check_sites(const Graph& graph) {
  const auto is_float = [](const QuantizedSite& site) { return !site.integer; };
  const auto first = std::ranges::find_if(graph.sites, is_float);
  if (first == graph.sites.end()) return;
  const auto count = std::ranges::count_if(graph.sites, is_float);
  fail(Error::Category::usage, "onnx",
       fmt::format("form = exact is asked for, and {} is computed with floats: {}{}", first->path, first->reason,
                   count > 1 ? fmt::format(" ({} layers of {} are)", count, graph.sites.size()) : ""),
       "layer " + first->path,
       "runtimes add floats in orders of their own: write form = qdq or form = float, which are close; a network has an exact "
       "form where each layer is a product of integers (qfw explain says what each is)");
}

std::vector<float> pixel_values(const FrozenModel& model, const WriteOptions& options) {
  std::vector<float> values;
  if (!options.pixels || !model.preparation) return values;
  for (const auto& table : image::tables_of(*model.preparation)) values.insert(values.end(), table.begin(), table.end());
  return values;
}

}  // namespace

Exact::Exact(const FrozenModel& model, const WriteOptions& options, File& file)
    : Translator(model, options, file), subnormals_(graph(), constants_, pixel_values(model, options)) {
  check_sites(graph());
  for (const QuantizedSite& site : graph().sites) {
    site_names_[site.sums.node].push_back(site.path + "/sums");
    site_names_[site.product.node].push_back(site.path + "/product");
  }
}

// ---- names, roundings, subnormal numbers -------------------------------------------------------------------------------

bool Exact::has_a_name_of_its_own(int number) const {
  return site_names_.contains(number) || Translator::has_a_name_of_its_own(number);
}

std::string Exact::last_name_for(int number) const {
  const auto site = site_names_.find(number);
  return site == site_names_.end() ? Translator::name_for(number) : site->second.front();
}

std::string Exact::name_for(int number) const {
  return rounds(number) || subnormals_.must_be_flushed({number, 0}) ? Translator::name_for(number) : last_name_for(number);
}

bool Exact::rounds(int number) const {
  const Node& made = node(number);
  const DType to = made.outputs[0].dtype;
  if (to != DType::bf16 && to != DType::f16) return false;
  if (made.op == Op::cast) return graph().type(made.inputs[0]).dtype != to;
  return class_of(made.op) == OpClass::elementwise && !definition(made.op).exact;
}

void Exact::finish(int number, Value value) {
  const bool flushes = subnormals_.must_be_flushed({number, 0});
  if (flushes) value.name = flushed(number, value.name);
  if (rounds(number)) {
    const bool brain = node(number).outputs[0].dtype == DType::bf16;
    const std::string rounded = file_.add("Cast", {value.name}, beside(number, brain ? "bf16" : "f16"),
                                          {{"to", brain ? Type::BFLOAT16 : Type::FLOAT16}});
    value.name = file_.add("Cast", {rounded}, last_name_for(number), {{"to", Type::FLOAT}});
  }
  if (const auto site = site_names_.find(number); site != site_names_.end()) {
    for (const std::string& name : site->second) {
      if (value.name != name) value.name = file_.add("Identity", {value.name}, name);
    }
  }
  Translator::finish(number, std::move(value));
}

/// Zero, of the same sign, in place of what is smaller than normal numbers.
std::string Exact::flushed(int number, const std::string& x) {
  const std::string size = file_.add("Abs", {x}, beside(number, "subnormal/size"));
  const std::string is_small = file_.add("Less", {size, file_.scalar(0x1p-126f)}, beside(number, "subnormal"));
  const std::string zero = file_.add("Mul", {x, file_.scalar(0)}, beside(number, "subnormal/zero"));
  return file_.add("Where", {is_small, zero, x}, rounds(number) ? beside(number, "flushed") : last_name_for(number));
}

// ---- codes -------------------------------------------------------------------------------------------------------------

void Exact::cast(int number) {
  const Use source = node(number).inputs[0];
  const DType from = graph().type(source).dtype, to = node(number).outputs[0].dtype;
  const Value& given = value(source);
  if (is_float(from) && is_float(to)) return finish(number, given);
  if (is_float(from) && to == DType::u8) {
    return finish(number, {file_.add("Cast", {given.name}, name_for(number), {{"to", Type::UINT8}})});
  }
  if (is_float(from) && to == DType::s8) {
    const std::string moved = file_.add("Add", {given.name, file_.scalar(signed_zero)}, beside(number, "moved"));
    return finish(number, {file_.add("Cast", {moved}, name_for(number), {{"to", Type::UINT8}}), signed_zero});
  }
  if (is_float(to) && given.zero == 0) {
    return finish(number, {file_.add("Cast", {given.name}, name_for(number), {{"to", Type::FLOAT}})});
  }
  refuse(number, fmt::format("ONNX files of qfw hold no cast from {} to {}", name_of(from), name_of(to)));
}

Exact::Weights Exact::weights(int number) {
  const Use use = node(number).inputs[1];
  if (!constants_.has(use)) refuse(number, "the weights depend on the images", "ONNX files of qfw hold constant ones");
  const HostView view = constants_.of(use);
  const std::vector<std::int8_t> codes = in_onnx_order(view.as<std::int8_t>(), view.type.shape);
  const CodeStorage storage =
      storage_for(codes, options_.packed && options_.opset >= 25, options_.packed && options_.opset >= 21);
  const std::string held =
      file_.initializer(constant_name(use), storage.type, weights_dims(view.type.shape), stored(codes, storage));
  if (storage.bits == 8) return {held, storage.zero};
  const std::string wide = file_.add("DequantizeLinear", {held, file_.scalar(static_cast<float>(storage.step))}, held + "/f32");
  return {file_.add("Cast", {wide}, held + "/u8", {{"to", Type::UINT8}}), storage.zero};
}

void Exact::product(int number) {
  const Node& made = node(number);
  if (made.outputs[0].dtype != DType::s32) {
    refuse(number, fmt::format("form = exact is asked for, and a {} is computed with floats", name_of(made.op)),
           "write form = qdq or form = float, which are close");
  }
  const Value& source = value(made.inputs[0]);
  const auto [held, zero] = weights(number);
  const std::string source_zero = file_.code(static_cast<std::uint8_t>(source.zero));
  const std::string weights_zero = file_.code(static_cast<std::uint8_t>(zero));
  const bool is_conv = made.op == Op::conv2d;
  const std::string result =
      file_.add(is_conv ? "ConvInteger" : "MatMulInteger", {source.name, held, source_zero, weights_zero}, name_for(number));
  if (is_conv) convolution_attributes(made, graph().type(made.inputs[1]).shape);
  finish(number, {result});
}

// ---- sums --------------------------------------------------------------------------------------------------------------

/// A running sum in double over what is summed up, in index order; its last element.
void Exact::sum(int number) {
  const Use source = node(number).inputs[0];
  const Shape &from = graph().type(source).shape, &to = node(number).outputs[0].shape;
  if (graph().summation != Summation::in_order) refuse(number, "the order of a sum is left open");
  if (to.rank() != from.rank()) refuse(number, fmt::format("a sum to {} moves images", to.str()));
  Dims order{0}, rows{0}, result(static_cast<std::size_t>(to.rank()));
  for (const bool summed : {false, true}) {
    for (int axis = 1; axis < from.rank(); ++axis) {
      if ((from[axis] != to[axis]) != summed) continue;
      order.push_back(onnx_axis(from.rank(), axis));
      if (!summed) rows.push_back(from[axis]);
    }
  }
  for (int axis = 1; axis < to.rank(); ++axis) result[static_cast<std::size_t>(onnx_axis(to.rank(), axis))] = to[axis];
  rows.push_back(-1);
  const std::int64_t last = static_cast<std::int64_t>(rows.size()) - 1;
  std::string x = file_.add("Cast", {value(source).name}, beside(number, "sum/f64"), {{"to", Type::DOUBLE}});
  if (!std::ranges::is_sorted(order)) x = file_.add("Transpose", {x}, beside(number, "sum/order"), {{"perm", order}});
  x = file_.add("Reshape", {x, file_.integers(rows)}, beside(number, "sum/rows"));
  x = file_.add("CumSum", {x, file_.axis(last)}, beside(number, "sum/running"));
  x = file_.add("Gather", {x, file_.integers({-1})}, beside(number, "sum/last"), {{"axis", last}});
  x = file_.add("Cast", {x}, beside(number, "sum/f32"), {{"to", Type::FLOAT}});
  finish(number, {file_.add("Reshape", {x, file_.integers(result)}, name_for(number))});
}

}  // namespace qfw::onnx
