#include "passes/quantize.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/support.h"
#include "passes/integer_backward.h"
#include "passes/replay.h"
#include "qfw/bounds.h"
#include "qfw/error.h"

namespace qfw {

namespace {

/// Codes as 8-bit integers; those halfway between whole numbers are doubled.
struct IntegerCodes {
  DType dtype = DType::s8;
  float factor = 1;  ///< integer = codes * factor
  std::string obstacle;
};

IntegerCodes integer_codes(const Operand& operand, const char* what, bool only_signed) {
  if (!operand.grid) return {.obstacle = fmt::format("{} are floats", what)};
  const float factor = operand.grid->halves() ? 2.f : 1.f;
  const float low = operand.grid->low * factor, high = operand.grid->high * factor;
  if (low >= -128 && high <= 127) {
    if (low >= 0 && !only_signed) return {.dtype = DType::u8, .factor = factor, .obstacle = {}};
    return {.dtype = DType::s8, .factor = factor, .obstacle = {}};
  }
  if (low >= 0 && high <= 255 && !only_signed) return {.dtype = DType::u8, .factor = factor, .obstacle = {}};
  return {.obstacle = fmt::format("{} have codes from {} to {}, beyond 8 bits", what, low, high)};
}

/// One number, or one per output channel in a shape that broadcasts against the product: [O].
std::optional<Value> per_output(const Operand& operand, std::int64_t features) {
  if (operand.scale.is_number() || operand.scale.shape().count() == 1) {
    return operand.scale.is_number() ? operand.scale : reshape(operand.scale, {});
  }
  if (operand.scale.shape().count() == features && operand.scale.shape().channels() == features)
    return reshape(operand.scale, {features});
  return std::nullopt;
}

/// Codes beyond this are no longer exact: floats have 24 bits, half of a grid's steps takes one.
constexpr float largest_code = 0x1p23f;

std::string wrong_grid(const Grid& grid) {
  if (!(std::abs(grid.low) <= largest_code && std::abs(grid.high) <= largest_code)) return "not within 2^23";
  if (grid.low > grid.high) return "which ends below its start";
  const float steps = grid.high - grid.low;
  return 2 * grid.low != std::floor(2 * grid.low) || steps != std::floor(steps) ? "not whole steps apart" : "";
}

std::string wrong_scale(Value scale, const Shape& operand) {
  if (scale.is_number()) return std::isfinite(scale.number()) && scale.number() != 0 ? "" : fmt::format("{}", scale.number());
  const bool one_or_channels = is_float(scale.dtype()) && ops::broadcasts_to(scale.shape(), operand);
  return one_or_channels ? "" : fmt::format("{} for {}", scale.type().str(), operand.str());
}

class QuantizePass {
 public:
  QuantizePass(const Graph& model, GraphBuilder& to, const std::function<SiteQuantizer(std::string_view)>& of,
               const Quantization& how)
      : model_(model), to_(to), of_(of), how_(how), bounds_(model), replay_(model, to) {}

  Value run(Use output) {
    for (int number = 0; number < static_cast<int>(model_.nodes.size()); ++number) {
      const Op op = model_.nodes[number].op;
      if (op == Op::conv2d || op == Op::dense) {
        replay_.replace(number, {site(model_.nodes[number])});
      } else {
        replay_.copy(number);
      }
    }
    return replay_.at(output);
  }

 private:
  Value site(const Node& node) {
    const auto scope = BuilderAccess::at_path(to_, node.path);
    const Value src = rounded(replay_.at(node.inputs[0])), weights = rounded(replay_.at(node.inputs[1]));
    MatmulSite site{node.path, Dense{}, model_.type(node.inputs[0]), model_.type(node.inputs[1])};
    std::optional<bool> is_signed;
    if (node.op == Op::conv2d) {
      site.op = node.as<Conv2d>();
      is_signed = node.as<Conv2d>().src_signed;
    } else {
      is_signed = node.as<Dense>().src_signed;
    }
    site.src_signed = is_signed.value_or(bounds_.of(node.inputs[0]).low < 0);

    const auto [quantizer, phase] = of_(node.path);
    auto [quantized_src, quantized_weights] =
        quantizer->quantize_both(to_, site, as_f32(src), as_f32(weights), phase, how_.integer);
    check(site, Role::src, as_f32(src), quantized_src);
    check(site, Role::weights, as_f32(weights), quantized_weights);

    QuantizedSite record;
    record.path = node.path;
    record.op = node.op;
    record.src_type = site.src;
    record.weights_type = site.weights;
    record.dst_type = node.outputs[0];
    if (node.op == Op::conv2d) record.conv = node.as<Conv2d>();
    record.src_signed = site.src_signed;
    record.phase = quantizer->phase_name(phase);
    record.src = side(quantized_src);
    record.weights = side(quantized_weights);
    const Value result = product(site, quantized_src, quantized_weights, src, weights, record);
    record.product = use_of(result);
    if (how_.require_integer && !record.integer) {
      fail(Error::Category::graph, "quantize", "the product cannot be an integer one: " + record.reason, "layer " + node.path,
           "change its quantizer options or leave quantizer.require_integer out");
    }
    BuilderAccess::graph(to_).sites.push_back(std::move(record));
    return result;
  }

  Value product(const MatmulSite& site, const Operand& src, const Operand& weights, Value float_src, Value float_weights,
                QuantizedSite& record) {
    const std::int64_t features = site.weights.shape.channels();
    if (how_.integer && !how_.observe) {
      const IntegerCodes left = integer_codes(src, "activations", false), right = integer_codes(weights, "weights", true);
      const auto scale = per_output(weights, features);
      const bool src_per_tensor = src.scale.is_number() || src.scale.shape().count() == 1;
      record.reason = !left.obstacle.empty()    ? left.obstacle
                      : !right.obstacle.empty() ? right.obstacle
                      : !src_per_tensor         ? "activations have a scale per channel that was not folded into the weights"
                      : !scale                  ? "weights have a scale that is not one per output channel"
                                                : "";
      if (record.reason.empty()) {
        check_accumulator(record);
        record.integer = true;
        return integer_product(site, src, *scale, weights, left, right, record);
      }
    } else if (src.grid && weights.grid) {
      record.reason = "arithmetic = fake_quant";
    } else {
      record.reason = src.grid ? "weights are floats" : weights.grid ? "activations are floats" : "not quantized";
    }
    const Value a = src.grid ? rounded(src.real()) : float_src, b = weights.grid ? rounded(weights.real()) : float_weights;
    const Value result = matmul(site, a, b);
    record.matmul = record.sums = use_of(result);
    return result;
  }

  /// float(sum of integers) / (scales), differentiated as the float product of the codes divided by the same.
  Value integer_product(const MatmulSite& site, const Operand& src, Value weight_scale, const Operand& weights,
                        const IntegerCodes& left, const IntegerCodes& right, QuantizedSite& record) {
    const auto [a, a_float] = codes(src, left);
    const auto [b, b_float] = codes(weights, right);
    const Value floats = matmul(site, a_float, b_float), integers = matmul(site, a, b);
    if (how_.integer_backward && to_.training()) {
      differentiate_in_integers(to_, floats, b, BuilderAccess::graph(to_).sites.size());  // the record's place, soon
    }
    const Value sums = straight_through(cast(integers, DType::f32), floats);
    const Value src_scale = src.scale.is_number() ? src.scale : reshape(src.scale, {});
    const Value of_weights = weight_scale * right.factor, of_src = src_scale * left.factor;
    Value factor = 1 / (of_src * of_weights);
    if (factor.is_number()) factor = BuilderAccess::constant(to_, factor.number());
    record.matmul = use_of(integers);
    record.sums = use_of(sums);
    record.factor = use_of(factor);
    return rounded(sums * factor);
  }

  /// The integers, and the same as floats of the compute type, through which gradients flow.
  std::pair<Value, Value> codes(const Operand& operand, const IntegerCodes& how) {
    const Value whole = how.factor == 1 ? operand.codes : operand.codes * how.factor;
    const Value integers = cast(whole, how.dtype);
    return {integers, straight_through(cast(integers, how_.compute), whole)};
  }

  static void check_accumulator(const QuantizedSite& site) {
    const double largest = largest_sum(site);
    if (largest <= std::numeric_limits<std::int32_t>::max()) return;
    fail(Error::Category::graph, "quantize",
         fmt::format("the sum of {} integer products could reach {:.4g}, beyond 32 bits",
                     site.weights_type.shape.count() / site.weights_type.shape.channels(), largest),
         "layer " + site.path, "give this layer fewer bits, or set quantizer.arithmetic = fake_quant");
  }

  static Value matmul(const MatmulSite& site, Value a, Value b) {
    if (const Conv2d* conv = std::get_if<Conv2d>(&site.op)) return conv2d(a, b, *conv);
    return dense(a, b, std::get<Dense>(site.op));
  }

  Value rounded(Value x) const { return x.dtype() == how_.compute ? x : cast(x, how_.compute); }
  static Value as_f32(Value x) { return x.dtype() == DType::f32 ? x : cast(x, DType::f32); }

  /// What a quantizer returned for one operand.
  void check(const MatmulSite& site, Role role, Value operand, const Operand& quantized) const {
    const TensorType& expected = role == Role::src ? site.src : site.weights;
    const auto refuse = [&](const std::string& what, const std::string& remedy) {
      fail(Error::Category::graph, "quantize", fmt::format("quantizer {} returned {}", how_.quantizer, what),
           fmt::format("{} of layer {}", name_of(role), site.path), remedy);
    };
    if (quantized.codes.is_number() || quantized.codes.shape() != expected.shape || !is_float(quantized.codes.dtype())) {
      refuse(quantized.codes.is_number() ? "a plain number" : quantized.codes.type().str(),
             "floats of shape " + expected.shape.str() + " are expected");
    }
    if (!quantized.grid) return;
    if (const std::string wrong = wrong_grid(*quantized.grid); !wrong.empty()) {
      refuse(fmt::format("a grid from {} to {}, {}", quantized.grid->low, quantized.grid->high, wrong),
             "both ends are whole numbers, or both lie halfway between whole numbers (qfw/graph.h)");
    }
    if (const std::string wrong = wrong_scale(quantized.scale, expected.shape); !wrong.empty()) {
      refuse("the scale " + wrong, "give one number, or one per channel of the operand, the last axis");
    }
    if (how_.observe) how_.observe(site, role, operand, quantized);
  }

  Use use_of(Value value) {
    if (value.is_number()) value = BuilderAccess::constant(to_, value.number());
    return {value.node(), value.output()};
  }
  QuantizedSite::Side side(const Operand& operand) {
    if (!operand.grid) return {};
    return {use_of(operand.codes), use_of(operand.scale), operand.grid};
  }

  const Graph& model_;
  GraphBuilder& to_;
  const std::function<SiteQuantizer(std::string_view)>& of_;
  const Quantization& how_;
  ValueBounds bounds_;
  Replay replay_;
};

}  // namespace

const char* name_of(Role role) { return role == Role::src ? "activations" : "weights"; }

Value quantize(const Graph& model, GraphBuilder& to, Use output, const std::function<SiteQuantizer(std::string_view)>& of,
               const Quantization& how) {
  return QuantizePass(model, to, of, how).run(output);
}

double largest_integer(const Grid& grid) {
  const double factor = grid.halves() ? 2 : 1;
  return factor * std::max(std::abs(double{grid.low}), std::abs(double{grid.high}));
}

double largest_sum(const QuantizedSite& site) {
  if (!site.src.grid || !site.weights.grid) return 0;
  const auto terms = static_cast<double>(site.weights_type.shape.count() / site.weights_type.shape.channels());
  return terms * largest_integer(*site.src.grid) * largest_integer(*site.weights.grid);
}

}  // namespace qfw
