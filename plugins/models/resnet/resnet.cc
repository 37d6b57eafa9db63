#include <fmt/format.h>

#include <cmath>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "qfw/error.h"
#include "qfw/layer.h"
#include "qfw/layers.h"
#include "qfw/plugin.h"

namespace {

using namespace qfw;

/// ResNet v1 with bottleneck blocks (He et al., arXiv 1512.03385); unless told otherwise the stride is on the 3x3 convolution.
class ResNet final : public Layer {
 public:
  struct Options {
    std::optional<int> depth = 50;
    std::vector<std::int64_t> stages;
    std::int64_t num_filters = 64;
    double filter_multiplier = 1, bn_epsilon = 1e-5;
    std::string padding = "same", stem = "imagenet", stride = "3x3";

    static void declare(Declare<Options>& option) {
      option("depth", &Options::depth,
             "layers: 29, 50, 101, 152 or 200, each standing for its number of blocks; stages take its place",
             {.replaces = "stages"});
      option("stages", &Options::stages,
             "number of bottleneck blocks of each stage, as 3,4,6,3 (depth = 50), in place of depth; none or empty: as depth "
             "says",
             {.replaces = "depth"});
      option(
          "num_filters", &Options::num_filters,
          "output channels of init_conv; blocks of stage i = 1, 2, ... have num_filters * 2^(i-1) * filter_multiplier inside, "
          "four times as many at their end",
          {.min = 1});
      option("filter_multiplier", &Options::filter_multiplier,
             "factor of the width of all stages, not of init_conv: 0.5 is half as wide as the paper's", {.min = 0});
      option("padding", &Options::padding,
             "of strided layers: same (TensorFlow's, the odd pixel at the end) or torch (both sides)",
             {.choices = {"same", "torch"}});
      option("stem", &Options::stem,
             "imagenet: 7x7 with stride 2 and max pool; small: 3x3 without either, for 28- or 32-pixel images",
             {.choices = {"imagenet", "small"}});
      option(
          "stride", &Options::stride,
          "which convolution of a stage's first block has the stride of 2: 3x3, or the first 1x1 as in the paper and in Keras",
          {.choices = {"3x3", "1x1"}});
      option("bn_epsilon", &Options::bn_epsilon, "added to variances before batch normalization divides by their root",
             {.max = 1, .above = 0});
    }
  };

  explicit ResNet(const Options& options) : options_(options), stages_(stages_of(options)) {}

  Value build(GraphBuilder& g, Value x, std::int64_t classes) const override {
    x = stem(g, x);
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      const auto scope = g.scope(fmt::format("stage{}", stage + 1));
      for (std::int64_t i = 0; i < stages_[stage]; ++i) {
        const auto inner = g.scope(fmt::format("block{}", i));
        x = block(g, x, {.features = width(stage), .stride = stage > 0 && i == 0 ? 2 : 1, .project = i == 0});
      }
    }
    return layers::linear(g, "dense", mean_over_space(x), {.features = classes});
  }

 private:
  struct Block {
    std::int64_t features, stride;
    bool project;
  };

  Value stem(GraphBuilder& g, Value x) const {
    if (x.shape().rank() != 4) {
      fail(Error::Category::graph, "resnet", "images are " + x.type().str(), {}, "expected are [N, H, W, C]");
    }
    if (options_.stem == "small") {
      x = layers::conv(g, "init_conv", x, {.features = options_.num_filters, .kernel = {3, 3}, .src_signed = true});
      return relu(norm(g, "init_bn", x));
    }
    require_two_pixels(x, "init_conv");
    x = layers::conv(g, "init_conv", x,
                     {.features = options_.num_filters,
                      .kernel = {7, 7},
                      .stride = {2, 2},
                      .padding = Padding{{3, 3}, {3, 3}},
                      .src_signed = true});
    x = relu(norm(g, "init_bn", x));
    require_two_pixels(x, "the max pool");
    return max_pool(x, {.window = {3, 3}, .stride = {2, 2}, .padding = padding(x, {2, 2})});
  }

  Value block(GraphBuilder& g, Value x, const Block& b) const {
    const Extent stride{b.stride, b.stride}, one{1, 1};
    const bool first = options_.stride == "1x1";
    if (b.stride > 1) require_two_pixels(x, g.path());
    Value shortcut = x;
    if (b.project) {
      shortcut = layers::conv(g, "conv_proj", x, {.features = 4 * b.features, .stride = stride, .src_signed = false});
      shortcut = norm(g, "bn_proj", shortcut);
    }
    // The reference quantizes this input as signed where the block projects, although a ReLU precedes it.
    const std::optional<bool> is_signed = b.project ? std::optional(true) : std::nullopt;
    Value y = layers::conv(g, "conv_1", x, {.features = b.features, .stride = first ? stride : one, .src_signed = is_signed});
    y = relu(norm(g, "bn_1", y));
    const Extent inner = first ? one : stride;
    y = layers::conv(g, "conv_2", y, {.features = b.features, .kernel = {3, 3}, .stride = inner, .padding = padding(y, inner)});
    y = relu(norm(g, "bn_2", y));
    y = layers::conv(g, "conv_3", y, {.features = 4 * b.features});
    y = norm(g, "bn_3", y, 0);  // the block starts as its shortcut
    return relu(y + shortcut);
  }

  Value norm(GraphBuilder& g, std::string_view name, Value x, float gamma = 1) const {
    return layers::batch_norm(g, name, x, {.epsilon = static_cast<float>(options_.bn_epsilon), .gamma = gamma});
  }

  /// Of the 3x3 windows.
  Padding padding(Value x, Extent stride) const {
    return options_.padding == "torch" ? Padding{{1, 1}, {1, 1}} : same_padding(x.shape(), {3, 3}, stride);
  }

  std::int64_t width(std::size_t stage) const {
    const double exact =
        static_cast<double>(options_.num_filters) * std::ldexp(1.0, static_cast<int>(stage)) * options_.filter_multiplier;
    const auto whole = static_cast<std::int64_t>(exact);
    if (whole < 1) {
      fail(Error::Category::usage, "resnet",
           fmt::format("stage {} would be {:g} filters wide (num_filters = {}, filter_multiplier = {:g})", stage + 1, exact,
                       options_.num_filters, options_.filter_multiplier),
           {}, "raise model.filter_multiplier");
    }
    return whole;
  }

  /// A stride of 2 over a single pixel would not shrink anything any more.
  static void require_two_pixels(Value x, std::string_view where) {
    if (x.shape()[1] < 2 || x.shape()[2] < 2) {
      fail(Error::Category::usage, "resnet",
           fmt::format("the images are too small: {}x{} is left to halve", x.shape()[1], x.shape()[2]), where,
           "set model.stem = small, use fewer model.stages or larger images");
    }
  }

  static std::vector<std::int64_t> stages_of(const Options& options) {
    if (!options.stages.empty()) {
      for (const std::int64_t blocks : options.stages) {
        if (blocks < 1) {
          fail(Error::Category::usage, "resnet", fmt::format("model.stages has a stage of {} blocks", blocks), {},
               "give at least 1 for each stage");
        }
      }
      if (options.stages.size() > 16) {
        fail(Error::Category::usage, "resnet", fmt::format("model.stages has {} stages", options.stages.size()), {},
             "each doubles the width: give 16 at most");
      }
      return options.stages;
    }
    if (!options.depth) {
      fail(Error::Category::usage, "resnet", "neither model.depth nor model.stages is given", {},
           "set one, as depth = 50 or stages = 2,2");
    }
    const std::map<int, std::vector<std::int64_t>> known{
        {29, {2, 2, 3, 2}}, {50, {3, 4, 6, 3}}, {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}}, {200, {3, 24, 36, 3}}};
    const auto found = known.find(*options.depth);
    if (found == known.end()) {
      fail(Error::Category::usage, "resnet", fmt::format("there is no ResNet{}", *options.depth), {},
           "choose 29, 50, 101, 152 or 200 as model.depth, or set model.stages");
    }
    return found->second;
  }

  Options options_;
  std::vector<std::int64_t> stages_;
};

}  // namespace

QFW_PLUGIN("model:resnet", .name = "resnet", .version = "0.1.0", .licence = "Apache-2.0", .description = "residual networks")
(Registry& registry) { registry.add<ResNet>("resnet", "ResNet v1 with bottleneck blocks, arXiv 1512.03385"); }
