#include "qdq.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace qfw::onnx {

namespace {

using Type = pb::TensorProto;

bool is_code(DType type) { return type == DType::u8 || type == DType::s8; }

}  // namespace

Qdq::Qdq(const FrozenModel& model, const WriteOptions& options, File& file) : Floating(model, options, file), bounds_(graph()) {
  for (int number = 0; number < static_cast<int>(graph().nodes.size()); ++number) {
    if (constants_.has({number, 0})) continue;
    const Node& made = node(number);
    if (made.outputs[0].dtype == DType::s32 && (made.op == Op::conv2d || made.op == Op::dense)) plan_product(number);
    if (made.op != Op::cast || !is_code(made.outputs[0].dtype) || !is_used_by_products_alone(number)) continue;
    if (const auto found = quantization_of(number)) {
      quantizations_[number] = *found;
      if (found->floors) fold_into_product(number);
    }
  }
  find_needed();
}

// ---- what stands for what ----------------------------------------------------------------------------------------------

bool Qdq::is_used_by_products_alone(int number) const {
  for (int user = number + 1; user < static_cast<int>(graph().nodes.size()); ++user) {
    const Node& reader = node(user);
    if (std::ranges::find(reader.inputs, Use{number, 0}) == reader.inputs.end()) continue;
    if ((reader.op != Op::conv2d && reader.op != Op::dense) || !constants_.has(reader.inputs[1])) return false;
  }
  return true;
}

std::vector<float> Qdq::by_channel(Use use, std::int64_t channels) const {
  if (!constants_.has(use)) return {};
  const Shape& shape = graph().type(use).shape;
  if (shape.count() != 1 && (shape.count() != channels || shape.channels() != channels)) return {};
  return constants_.numbers(use);
}

/// x * scale, then floor or round_even or x + 0.5 and floor, with a clip before or behind.
std::optional<Qdq::Quantization> Qdq::quantization_of(int cast) const {
  Quantization found{.low = -std::numeric_limits<float>::infinity(), .high = std::numeric_limits<float>::infinity()};
  bool rounds = false, floors = false, half = false;
  for (Use at = node(cast).inputs[0]; !constants_.has(at);) {
    const Node& made = node(at.node);
    const bool with_number = made.inputs.size() == 2 && constants_.is_number(made.inputs[1]);
    if (made.op == Op::minimum && with_number) {
      found.high = std::min(found.high, constants_.number(made.inputs[1]));
    } else if (made.op == Op::maximum && with_number) {
      found.low = std::max(found.low, constants_.number(made.inputs[1]));
    } else if (made.op == Op::floor && !rounds && !floors) {
      floors = true;
    } else if (made.op == Op::round_even && !rounds && !floors) {
      rounds = true;
    } else if (made.op == Op::add && with_number && floors && !half && constants_.number(made.inputs[1]) == 0.5f) {
      half = true;
    } else if (made.op == Op::multiply) {
      found.x = made.inputs[0];
      found.scale = by_channel(made.inputs[1], made.outputs[0].shape.channels());
      found.floors = floors && !half;
      const bool positive = std::ranges::all_of(found.scale, [](float s) { return s > 0 && std::isfinite(s); });
      const bool whole = found.low == std::floor(found.low) && found.high == std::floor(found.high);
      if (found.scale.empty() || !positive || !whole || (!rounds && !floors) || constants_.has(found.x)) return {};
      return found;
    } else {
      return {};
    }
    at = made.inputs[0];
  }
  return {};
}

void Qdq::plan_product(int matmul) {
  if (!constants_.has(node(matmul).inputs[1])) refuse(matmul, "the weights depend on the images");
  const std::int64_t channels = graph().type(node(matmul).inputs[1]).shape.channels();
  const auto count = static_cast<std::size_t>(channels);
  Product product{matmul, std::vector<double>(count, 1), std::vector<double>(count, 0)};
  int end = matmul;
  for (int user = only_user({end, 0}); user >= 0; user = only_user({end, 0})) {
    const Node& next = node(user);
    if (next.op != Op::cast || !is_float(next.outputs[0].dtype)) {
      if (next.inputs.size() != 2 || !(next.inputs[0] == Use{end, 0})) break;
      const std::vector<float> by = by_channel(next.inputs[1], channels);
      if (by.empty()) break;
      if (next.op != Op::multiply && next.op != Op::divide && next.op != Op::add && next.op != Op::subtract) break;
      for (std::size_t c = 0; c < count; ++c) {
        const double value = by[by.size() == 1 ? 0 : c];
        if (next.op == Op::add) product.bias[c] += value;
        if (next.op == Op::subtract) product.bias[c] -= value;
        const double times = next.op == Op::multiply ? value : next.op == Op::divide ? 1 / value : 1;
        product.factor[c] *= times;
        product.bias[c] *= times;
      }
    }
    end = user;
  }
  products_[end] = std::move(product);
}

/// product -> relu -> x * scale - 0.5 -> codes, read by nobody on the way: the product gives x * scale - 0.5 itself.
void Qdq::fold_into_product(int cast) {
  const Quantization& quantization = quantizations_.at(cast);
  for (Use at = node(cast).inputs[0]; !(at == quantization.x); at = node(at.node).inputs[0]) {
    if (only_user(at) < 0) return;
  }
  Use at = quantization.x;
  while (node(at.node).op == Op::cast && only_user(at) >= 0) at = node(at.node).inputs[0];
  if (node(at.node).op != Op::relu || only_user(at) < 0 || quantization.low != 0) return;
  const Use before = node(at.node).inputs[0];
  const auto product = products_.find(before.node);
  if (product == products_.end() || only_user(before) < 0) return;
  folded_[cast] = before.node;
  const bool one = quantization.scale.size() == 1;
  for (std::size_t c = 0; c < product->second.factor.size(); ++c) {
    const double scale = one ? 1 : quantization.scale[c];
    product->second.factor[c] *= scale;
    product->second.bias[c] = product->second.bias[c] * scale - 0.5 / (one ? quantization.scale[0] : 1);
  }
}

void Qdq::find_needed() {
  needed_.assign(graph().nodes.size(), false);
  const auto need = [&](Use use) { needed_[static_cast<std::size_t>(use.node)] = true; };
  need(graph().fetches.at(0).use);
  for (int number = static_cast<int>(graph().nodes.size()) - 1; number >= 0; --number) {
    if (!needed_[static_cast<std::size_t>(number)]) continue;
    if (const auto folded = folded_.find(number); folded != folded_.end()) {
      need({folded->second, 0});
    } else if (const auto product = products_.find(number); product != products_.end()) {
      need(node(product->second.matmul).inputs[0]);
    } else if (const auto quantization = quantizations_.find(number); quantization != quantizations_.end()) {
      need(quantization->second.x);
    } else {
      for (const Use use : node(number).inputs) need(use);
    }
  }
}

// ---- nodes -------------------------------------------------------------------------------------------------------------

void Qdq::translate(int number) {
  if (const auto product = products_.find(number); product != products_.end()) {
    add_product(number, product->second, beside(product->second.matmul, "product"));
  } else if (const auto quantization = quantizations_.find(number); quantization != quantizations_.end()) {
    add_quantization(number, quantization->second);
  } else {
    Floating::translate(number);
  }
}

/// To codes of whole numbers that something else than a scale, a floor and a clip made: they stay themselves.
void Qdq::cast(int number) {
  if (!is_code(node(number).outputs[0].dtype)) return Floating::cast(number);
  add_pair(number, value(node(number).inputs[0]).name, 1);
}

/// Runtimes round a bias to whole multiples of the unit that the integer sums have. Codes of few levels leave room in INT8 to
/// make that unit 2, 4, 8 or 16 times as fine, if two products still fit 16 bits, which is where AVX2 without VNNI adds them.
int Qdq::finer_unit(Use source, std::span<const std::int8_t> weights) {
  const Bounds bounds = bounds_.of(source);
  const double activation = std::max({1.0, std::fabs(bounds.low), std::fabs(bounds.high)});
  int weight = 1, finer = 1;
  for (const std::int8_t code : weights) weight = std::max(weight, std::abs(static_cast<int>(code)));
  while (finer < 16 && 2 * finer * weight <= 127 && 2 * activation * 2 * finer * weight <= 32767) finer *= 2;
  return finer;
}

void Qdq::add_product(int end, const Product& product, std::string_view name) {
  const Node& matmul = node(product.matmul);
  const Use source = matmul.inputs[0], use = matmul.inputs[1];
  const HostView view = constants_.of(use);
  const Shape& shape = view.type.shape;
  const auto channels = static_cast<std::size_t>(shape.channels());
  const auto given = view.as<std::int8_t>();
  std::vector<std::int8_t> codes(given.begin(), given.end());
  const auto step = steps_.find(source.node);
  const int finer = finer_unit(source, codes);
  std::vector<float> scale(channels), bias(channels);
  for (std::size_t c = 0; c < channels; ++c) {
    const double wanted = product.factor[c] / (step == steps_.end() ? 1 : step->second) / finer;
    scale[c] = static_cast<float>(std::fabs(wanted));
    bias[c] = static_cast<float>(product.bias[c]);
    const bool vanishes = scale[c] < std::numeric_limits<float>::min();
    if (vanishes) scale[c] = 1;
    const int times = vanishes ? 0 : wanted > 0 ? finer : -finer;  // scales are above 0 in ONNX
    for (std::size_t i = c; i < codes.size(); i += channels) {
      if (codes[i] == -128 && times < 0) {
        refuse(product.matmul, "form = qdq is asked for, and a weight of code -128 has a scale below 0",
               "write form = exact or form = float");
      }
      codes[i] = static_cast<std::int8_t>(times * codes[i]);
    }
  }
  const bool is_conv = matmul.op == Op::conv2d;
  const std::string wanted = constant_name(use);
  const Dims by_channel{static_cast<std::int64_t>(channels)};
  const std::string held =
      file_.initializer(wanted, Type::INT8, weights_dims(shape),
                        bytes_of(std::span<const std::int8_t>(in_onnx_order(std::span<const std::int8_t>(codes), shape))));
  const std::string scales = file_.initializer(wanted + "/scale", by_channel, scale);
  const std::string zeros = file_.initializer(wanted + "/zero_point", Type::INT8, by_channel, std::string(channels, '\0'));
  const std::string weights =
      file_.add("DequantizeLinear", {held, scales, zeros}, wanted + "/real", {{"axis", is_conv ? 0 : 1}});
  const std::string biases = file_.initializer(beside(product.matmul, "bias"), by_channel, bias);
  const std::string result = file_.add(is_conv ? "Conv" : "Gemm", {value(source).name, weights, biases}, name);
  if (is_conv) convolution_attributes(matmul, shape);
  finish(end, {result});
}

pb::TensorProto::DataType Qdq::type_of_codes(int cast, float high) const {
  if (node(cast).outputs[0].dtype == DType::s8) return Type::INT8;
  if (!options_.int8_only) return Type::UINT8;
  if (high > 127) {
    refuse(cast, fmt::format("int8_only is asked for, and codes of activations go up to {}", high),
           "train with act_prec = 7, whose codes end at 127, or leave int8_only out");
  }
  return Type::INT8;
}

void Qdq::add_quantization(int cast, const Quantization& quantization) {
  const auto& [x, scale, low, high, floors] = quantization;
  const bool whole_tensor = scale.size() == 1;
  const float step = whole_tensor ? 1 / scale[0] : 1;
  const auto named = [&](std::string_view role) { return beside(cast, fmt::format("src/{}", role)); };
  const auto folded = folded_.find(cast);
  std::string at = folded != folded_.end() ? value({folded->second, 0}).name : value(x).name;
  if (folded == folded_.end()) {
    if (!whole_tensor) {
      at = file_.add("Mul", {at, channels(named("scale"), scale, graph().type(x).shape.rank())}, named("scaled"));
    }
    if (floors) at = file_.add("Sub", {at, file_.scalar(step / 2)}, named("half_less"));
  }
  const bool has_sign = type_of_codes(cast, high) == Type::INT8;
  const float lowest = has_sign ? -128 : 0, highest = has_sign ? 127 : 255;
  if (low > lowest || high < highest) {
    const bool to_the_end = high >= highest && low == 0;
    at = to_the_end
             ? file_.add("Relu", {at}, named("relu"))
             : file_.add("Clip", {at, file_.scalar(std::max(low, lowest) * step), file_.scalar(std::min(high, highest) * step)},
                         named("clip"));
  }
  add_pair(cast, at, step);
}

void Qdq::add_pair(int cast, const std::string& x, float step) {
  const float high = static_cast<float>(bounds_.of(node(cast).inputs[0]).high);
  const std::string scale = file_.scalar(step);
  const std::string zero = type_of_codes(cast, high) == Type::INT8 ? file_.signed_code(0) : file_.code(0);
  const std::string codes = file_.add("QuantizeLinear", {x, scale, zero}, beside(cast, "src/codes"));
  steps_[cast] = step;
  finish(cast, {file_.add("DequantizeLinear", {codes, scale, zero}, beside(cast, "src/real"))});
}

}  // namespace qfw::onnx
