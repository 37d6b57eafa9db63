#include <algorithm>
#include <array>

#include "names.h"
#include "qfw/error.h"
#include "qfw/format.h"
#include "qfw/plugin.h"

namespace {

using qfw::Format;
using qfw::keras::Names;

/// Files of weights of keras.applications' ResNets. Kernels have our axes; convolutions have a bias, which a norm follows that
/// subtracts its mean: the difference is ours.
class KerasFormat final : public Format {
 public:
  struct Options {
    static void declare(qfw::Declare<Options>&) {}
  };
  explicit KerasFormat(const Options&) {}

  std::vector<Setting> to_recipe(std::string_view) const override {
    qfw::fail(qfw::Error::Category::usage, "keras", "it knows weights and no configurations");
  }

  std::vector<Tensor> tensors(std::span<const qfw::Variable> variables, std::span<const std::string> names) const override {
    const Names theirs(variables, names);
    std::vector<Tensor> all;
    for (const qfw::Variable& variable : variables) {
      std::string name = theirs.of(variable.name);
      if (name.empty()) continue;
      all.push_back({.variable = variable.name,
                     .path = std::move(name),
                     .axes = {},
                     .not_negative = variable.name.ends_with("/variance"),
                     .minus = theirs.bias_before(variable.name)});
    }
    return all;
  }
  bool recognizes(std::span<const std::string> names) const override { return Names::recognizes(names); }
  bool is_incidental(std::string_view name) const override {
    constexpr std::array<std::string_view, 4> beside{"optimizer", "metrics", "compile_metrics", "top_level_model_weights"};
    return std::ranges::any_of(beside, [&](std::string_view group) { return name.starts_with(group); });
  }

  std::vector<Setting> required() const override {
    return {{"model", "padding", "torch", "strided layers are padded on both sides"},
            {"model", "stride", "1x1", "the first convolution of a block has the stride"},
            {"model", "bn_epsilon", "1.001e-05", "batch normalization adds it to the variance"},
            {"augment", "bgr", "true", "the channels of images are blue, green, red"}};
  }
};

}  // namespace

QFW_PLUGIN("format:keras", .name = "format_keras", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "weights of ResNets under Keras' names")
(qfw::Registry& registry) {
  registry.add<KerasFormat>("keras", "weights of keras.applications' ResNets, in .h5 and .weights.h5 files");
}
