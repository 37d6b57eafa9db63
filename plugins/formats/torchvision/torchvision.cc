#include "names.h"
#include "qfw/error.h"
#include "qfw/format.h"
#include "qfw/plugin.h"

namespace {

using qfw::Format;
using qfw::torchvision::Names;

/// State dictionaries of ResNets by torchvision, timm and transformers. Kernels are [O, I, H, W] there, dense ones [O, I].
class TorchvisionFormat final : public Format {
 public:
  struct Options {
    static void declare(qfw::Declare<Options>&) {}
  };
  explicit TorchvisionFormat(const Options&) {}

  std::vector<Setting> to_recipe(std::string_view) const override {
    qfw::fail(qfw::Error::Category::usage, "torchvision", "it knows weights and no configurations");
  }

  std::vector<Tensor> tensors(std::span<const qfw::Variable> variables, std::span<const std::string> names) const override {
    const Names theirs = Names::found_in(names).value_or(Names{});
    std::vector<Tensor> all;
    for (const qfw::Variable& variable : variables) {
      std::string name = theirs.of(variable.name);
      if (name.empty()) continue;
      std::vector<int> axes;
      if (variable.type.shape.rank() == 4) axes = {3, 2, 0, 1};
      if (variable.type.shape.rank() == 2) axes = {1, 0};
      all.push_back({.variable = variable.name,
                     .path = std::move(name),
                     .axes = std::move(axes),
                     .not_negative = variable.name.ends_with("/variance")});
    }
    return all;
  }
  bool recognizes(std::span<const std::string> names) const override { return Names::found_in(names).has_value(); }
  bool is_incidental(std::string_view name) const override { return name.ends_with("num_batches_tracked"); }

  std::vector<Setting> required() const override {
    return {{"model", "padding", "torch", "strided layers are padded on both sides"},
            {"model", "stride", "3x3", "the second convolution of a block has the stride"},
            {"model", "bn_epsilon", "1e-05", "batch normalization adds it to the variance"}};
  }
};

}  // namespace

QFW_PLUGIN("format:torchvision", .name = "format_torchvision", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "weights of ResNets under PyTorch's names")
(qfw::Registry& registry) {
  registry.add<TorchvisionFormat>("torchvision", "weights of ResNets by torchvision, timm and transformers, under their names");
}
