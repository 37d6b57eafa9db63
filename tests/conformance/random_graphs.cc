#include <array>

#include "conformance/case.h"
#include "qfw/layers.h"
#include "qfw/random.h"

namespace qfw::conformance {
namespace {

/// A random expression over images, pixels, channels and numbers. Every op of it rounds once, so backends agree exactly,
/// however they fuse.
std::vector<Value> random_expression(RandomStream& random, const std::vector<Value>& operands, int ops) {
  std::vector<Value> values = operands;
  const auto pick = [&] {
    const std::size_t recent = std::min<std::size_t>(values.size(), 6);
    return random.below(3) == 0 ? values[random.below(values.size())] : values[values.size() - 1 - random.below(recent)];
  };
  for (int i = 0; i < ops; ++i) {
    const Value a = pick(), b = random.below(4) == 0 ? Value(0.25 * static_cast<double>(1 + random.below(12))) : pick();
    switch (random.below(16)) {
      case 0:
      case 1:
        values.push_back(a + b);
        break;
      case 2:
        values.push_back(a - b);
        break;
      case 3:
      case 4:
        values.push_back(clip(a, -4, 4) * b);
        break;
      case 5:
        values.push_back(a / (abs(b) + 0.5));
        break;
      case 6:
        values.push_back(minimum(a, b));
        break;
      case 7:
        values.push_back(maximum(a, b, Ties::pass));
        break;
      case 8:
        values.push_back(relu(a));
        break;
      case 9:
        values.push_back(sqrt(abs(a) + 0.25));
        break;
      case 10:
        values.push_back(select(a < b, a, -a));
        break;
      case 11:
        values.push_back(floor_ste(a * 4) * 0.25);
        break;
      case 12:
        values.push_back(round_even_ste(clip(a, -8, 8)) + a * 0.125);
        break;
      case 13:
        values.push_back(cast(a, random.below(2) == 0 ? DType::bf16 : DType::f32));
        break;
      case 14:
        values.push_back(clip(a, -1.5, b));
        break;
      default:
        values.push_back((a <= b) * a);
        break;
    }
  }
  Value total = 0;  // of all, so that a gradient reaches every operand
  for (const Value& value : values) total = total + clip(value, -16, 16) * 0.125;
  return {total, values[values.size() - 1], values[values.size() - 2], values[values.size() - 4]};
}

std::vector<Case> expression_cases() {
  std::vector<Case> cases;
  for (int number = 0; number < 40; ++number) {
    RandomStream random(1, hash_of("expression"), number);
    static constexpr std::array<std::int64_t, 5> channel_counts = {1, 3, 17, 64, 8};
    const std::int64_t channels = channel_counts[random.below(channel_counts.size())];
    const Shape image{1 + static_cast<std::int64_t>(random.below(3)), 1 + static_cast<std::int64_t>(random.below(9)), 5,
                      channels};
    const auto dtype = [&] { return random.below(3) == 0 ? DType::bf16 : DType::f32; };
    cases.push_back({.name = "expression_" + std::to_string(number),
                     .operands = {{{image, dtype()}},
                                  {{image, dtype()}},
                                  {{{channels}, dtype()}},
                                  {{{image[0], 1, 1, channels}, DType::f32}},
                                  {{{}, DType::f32}}},
                     .build =
                         [random, ops = 8 + number](GraphBuilder&, const std::vector<Value>& x) {
                           RandomStream own = random;
                           return random_expression(own, {x[2], x[3], x[4], x[0], x[1]}, ops);
                         },
                     .backward = {0x1p-6, 1e-3},
                     .sparse = true});
  }
  return cases;
}
QFW_CONFORMANCE(RandomExpression, expression_cases());

/// What the quantizers make of an operand: whole codes behind a scale from the largest element.
struct Codes {
  Value codes, scale;
};
Codes quantize(Value x, bool is_signed, Keep keep) {
  const Value bound = maximum(reduce_max(abs(x), keep), 1e-3);
  const Value scale = (is_signed ? 127.0 : 255.0) / bound;
  return {clip(floor_ste(x * scale + 0.5), is_signed ? -127 : 0, is_signed ? 127 : 255), scale};
}

/// The integer product as the core forms it (DESIGN.md): exact sums forward, the float product of the codes backward.
Value integer_convolution(GraphBuilder& g, Value x, std::int64_t features, Extent kernel, Extent stride, bool x_signed,
                          DType compute) {
  const Conv2d conv{.stride = stride, .padding = same_padding(x.shape(), kernel, stride)};
  const Value w = g.parameter("kernel", {kernel[0], kernel[1], x.shape().channels(), features}, Init::lecun_normal());
  const Codes src = quantize(x, x_signed, Keep::nothing), weights = quantize(w, true, Keep::channel);
  const Value src_codes = cast(src.codes, x_signed ? DType::s8 : DType::u8), weight_codes = cast(weights.codes, DType::s8);
  const Value factor = 1 / (src.scale * weights.scale);
  const Value exact = cast(conv2d(src_codes, weight_codes, conv), DType::f32) * factor;
  const Value c = straight_through(cast(src_codes, compute), src.codes),
              d = straight_through(cast(weight_codes, compute), weights.codes);
  return straight_through(exact, conv2d(c, d, conv) * factor);
}

struct Network {
  bool integer = false;
  DType compute = DType::f32;
};

/// A small residual network: convolution, batch norm, ReLU, pooling, a residual block, mean over space, dense, loss.
std::vector<Value> network(GraphBuilder& g, RandomStream& random, Value x, Value targets, const Network& options) {
  const auto convolution = [&](const char* name, Value src, std::int64_t features, Extent kernel, Extent stride,
                               bool src_signed) {
    const auto scope = g.scope(name);
    if (options.integer) return integer_convolution(g, src, features, kernel, stride, src_signed, options.compute);
    const Value w = g.parameter("kernel", {kernel[0], kernel[1], src.shape().channels(), features}, Init::lecun_normal());
    return conv2d(cast(src, options.compute), cast(w, options.compute),
                  {.stride = stride, .padding = same_padding(src.shape(), kernel, stride)});
  };
  const std::int64_t width = 4 + 3 * static_cast<std::int64_t>(random.below(5));
  const Extent stride = random.below(2) == 0 ? Extent{1, 1} : Extent{2, 2};
  Value y = relu(layers::batch_norm(g, "stem_bn", convolution("stem", x, width, {3, 3}, {1, 1}, true)));
  if (random.below(2) == 0)
    y = max_pool(y, {.window = {3, 3}, .stride = {2, 2}, .padding = same_padding(y.shape(), {3, 3}, {2, 2})});
  for (const char* name : {"block0", "block1"}) {
    const auto scope = g.scope(name);
    const Extent own = std::string(name) == "block1" ? stride : Extent{1, 1};
    const Value shortcut =
        own[0] == 1 ? y : layers::batch_norm(g, "shortcut_bn", convolution("shortcut", y, width, {1, 1}, own, false));
    Value z = relu(layers::batch_norm(g, "bn_1", convolution("conv_1", y, width, {1, 1}, {1, 1}, false)));
    z = layers::batch_norm(g, "bn_2", convolution("conv_2", z, width, {3, 3}, own, false));
    y = relu(z + shortcut);
  }
  const Value logits = layers::linear(g, "dense", mean_over_space(y), {.features = targets.shape()[1]});
  return {logits, mean(softmax_cross_entropy(logits, targets))};
}

std::vector<Case> network_cases() {
  std::vector<Case> cases;
  const auto add = [&](const std::string& name, int number, const Network& options, Tolerance forward, Tolerance backward) {
    const RandomStream random(1, hash_of(name), number);
    cases.push_back(
        {.name = name + "_" + std::to_string(number),
         .operands = {{{{6, 9 + number, 11, 3}, DType::f32}, Fill::normal, true}, {{{6, 10}, DType::f32}, Fill::targets, true}},
         .build =
             [=](GraphBuilder& g, const std::vector<Value>& x) {
               RandomStream own = random;
               return network(g, own, x[0], x[1], options);
             },
         .forward = forward,
         .backward = backward,
         .by_norm = true,
         .least_levels = 1,
         .optional = options.compute == DType::f16});
  };
  for (int number = 0; number < 4; ++number) {
    add("f32_network", number, {}, {0, 1e-5}, {0, 2e-4});
    add("bf16_network", number, {.compute = DType::bf16}, {0, 2e-2}, {0, 8e-2});
    add("f16_network", number, {.compute = DType::f16}, {0, 4e-3}, {0, 2e-2});
    add("integer_network", number, {.integer = true}, {0, 2e-2}, {0, 5e-2});
    add("integer_network_with_bf16_backward", number, {.integer = true, .compute = DType::bf16}, {0, 2e-2}, {0, 8e-2});
  }
  return cases;
}
QFW_CONFORMANCE(RandomNetwork, network_cases());

/// Of an f32 evaluation graph whose every site is integer the logits are the same bits everywhere.
std::vector<Case> exact_cases() {
  std::vector<Case> cases;
  for (const std::int64_t channels : {3, 8, 17}) {
    cases.push_back({.name = "integer_evaluation_" + std::to_string(channels) + "_channels",
                     .operands = {{{{4, 9, 8, channels}, DType::f32}, Fill::normal, true}},
                     .build =
                         [](GraphBuilder& g, const std::vector<Value>& x) {
                           const auto normalized = [&](const std::string& name, Value v) {
                             const Shape channel{v.shape().channels()};
                             return normalize(v, {g.state(name + "/mean", channel), g.state(name + "/variance", channel)},
                                              g.state(name + "/gamma", channel), g.state(name + "/beta", channel), 1e-5f);
                           };
                           const auto fixed = [&](const std::string& name, Value v, double bound, bool is_signed,
                                                  std::int64_t features, Extent kernel) {
                             const double levels = is_signed ? 127 : 255;
                             const Value codes = clip(floor(v * (levels / bound) + 0.5), is_signed ? -levels : 0, levels);
                             const Value w = g.parameter(name, {kernel[0], kernel[1], v.shape().channels(), features},
                                                         Init::lecun_normal());
                             const Codes weights = quantize(w, true, Keep::channel);
                             const Value sums =
                                 conv2d(cast(codes, is_signed ? DType::s8 : DType::u8), cast(weights.codes, DType::s8),
                                        {.padding = same_padding(v.shape(), kernel, {1, 1})});
                             return cast(sums, DType::f32) * (1 / ((levels / bound) * weights.scale));
                           };
                           const Value first = relu(normalized("bn_1", fixed("conv_1", x[0], 3, true, 16, {3, 3})));
                           const Value second = relu(normalized("bn_2", fixed("conv_2", first, 6, false, 16, {3, 3})) + first);
                           return std::vector{second, fixed("head", second, 8, false, 10, {1, 1})};
                         },
                     .gradients = false});
  }
  return cases;
}
QFW_CONFORMANCE(IntegerEvaluation, exact_cases());

}  // namespace
}  // namespace qfw::conformance
