#include "qfw/plugin.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "crop.h"
#include "qfw/augment.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "qfw/preparation.h"

namespace qfw::imagenet {

struct EvalOptions {
  int image_size = 224, crop_padding = 32;
  std::string fit = "centre_square", filter = "bicubic";
  bool bgr = false;
  std::vector<double> mean{0.485, 0.456, 0.406}, stddev{0.229, 0.224, 0.225};

  template <class Options>
  static void declare(Declare<Options>& option) {
    option("image_size", &Options::image_size, "pixels: height and width of what the model sees", {.min = 1, .max = 16384});
    option("crop_padding", &Options::crop_padding,
           "pixels: the centre crop is image_size / (image_size + crop_padding) of the shorter side; see fit",
           {.min = 0, .max = 16384});
    option("fit", &Options::fit,
           "the centre crop: centre_square cuts a square out, then resizes it (TensorFlow's); shorter_side resizes the shorter "
           "side to image_size + crop_padding, then cuts the middle out (torchvision's, timm's)",
           {.choices = {"centre_square", "shorter_side"}});
    option("filter", &Options::filter,
           "resizing: bicubic (TensorFlow's, four pixels wide at any scale), or a filter as wide as the scale, on pixels of 8 "
           "bits "
           "as Pillow's to the bit: bilinear_reduced (torchvision's usual one) or bicubic_reduced (timm's)",
           {.choices = {"bicubic", "bilinear_reduced", "bicubic_reduced"}});
    option("bgr", &Options::bgr, "channels blue first, as Keras' ResNets and Caffe's take them; mean and stddev, too");
    option("mean", &Options::mean, "subtracted from pixel / 255; one number, or one for each channel");
    option("stddev", &Options::stddev, "divides the difference; one number, or one for each channel, above 0");
  }
};

struct TrainOptions : EvalOptions, CropOptions {
  bool flip = true;

  static void declare(Declare<TrainOptions>& option) {
    EvalOptions::declare(option);
    option("area_min", &TrainOptions::area_min, "random crop: least share of the picture's area that is drawn",
           {.min = 0, .max = 1});
    option("area_max", &TrainOptions::area_max, "random crop: greatest share of the area", {.min = 0, .max = 1});
    option("covered_min", &TrainOptions::covered_min,
           "random crop: one that covers a smaller share of the picture is drawn again", {.min = 0, .max = 1});
    option("aspect_min", &TrainOptions::aspect_min, "random crop: least width / height", {.min = 0.01, .max = 100});
    option("aspect_max", &TrainOptions::aspect_max, "random crop: greatest width / height", {.min = 0.01, .max = 100});
    option("attempts", &TrainOptions::attempts, "random crop: so many are tried before the centre crop is taken",
           {.min = 1, .max = 1000});
    option("flip", &TrainOptions::flip, "mirror images left to right, each with probability 1/2");
  }
};

namespace {

/// The choice of this name.
template <class Choice>
Choice choice_of(const std::string& name, std::initializer_list<Choice> choices) {
  return *std::ranges::find_if(choices, [&](Choice choice) { return name == image::name_of(choice); });
}

image::Preparation preparation_of(const EvalOptions& options) {
  using Fit = image::Preparation::Fit;
  using Filter = image::Preparation::Filter;
  return {.height = options.image_size,
          .width = options.image_size,
          .channels = 3,
          .fit = choice_of(options.fit, {Fit::centre_square, Fit::shorter_side}),
          .filter = choice_of(options.filter, {Filter::bicubic, Filter::bilinear_reduced, Filter::bicubic_reduced}),
          .margin = options.crop_padding,
          .bgr = options.bgr,
          .mean = options.mean,
          .stddev = options.stddev};
}

}  // namespace

/// The centre crop, decoded, resized and normalised.
class ImagenetEval : public Augment {
 public:
  using Options = EvalOptions;
  explicit ImagenetEval(const Options& options) : prepare_(preparation_of(options)) {}

  Shape output(const Shape& source) const override {
    if (source.rank() == 3 && source[2] != 1 && source[2] != 3) {
      fail(Error::Category::usage, "imagenet", fmt::format("images of shape {}", source.str()), {},
           "they must have one or three channels");
    }
    return {prepare_.preparation().height, prepare_.preparation().width, 3};
  }

  void apply(const Example& example, RandomStream&, bool, std::span<float> image) const override { prepare_(example, image); }

  std::optional<image::Preparation> preparation(const Shape&) const override { return prepare_.preparation(); }

 protected:
  const image::Preparer& prepare() const { return prepare_; }

 private:
  const image::Preparer prepare_;
};

/// A random crop, mirrored every other time; in evaluation the centre crop.
class ImagenetTrain final : public ImagenetEval {
 public:
  using Options = TrainOptions;
  explicit ImagenetTrain(const Options& options) : ImagenetEval(options), crop_(options), flip_(options.flip) {
    if (crop_.area_min > crop_.area_max || crop_.aspect_min > crop_.aspect_max) {
      fail(Error::Category::usage, "imagenet",
           fmt::format("area {} to {}, aspect {} to {}", crop_.area_min, crop_.area_max, crop_.aspect_min, crop_.aspect_max),
           {}, "the smallest value must not be above the largest");
    }
  }

  void apply(const Example& example, RandomStream& random, bool training, std::span<float> image) const override {
    if (!training) {
      prepare()(example, image);
      return;
    }
    const image::Size picture = prepare().size(example);
    image::Window window = random_crop(picture, crop_, random);
    const bool mirrored = random.below(2) == 1 && flip_;
    if (window.height == picture.height && window.width == picture.width) {  // the middle, as the original does
      const image::Preparation& evaluation = prepare().preparation();
      window = image::centre_square(picture, evaluation.height, evaluation.margin);
    }
    prepare().apply(example, window, mirrored, image);
  }

 private:
  const CropOptions crop_;
  const bool flip_;
};

}  // namespace qfw::imagenet

QFW_PLUGIN("augment:imagenet_train augment:imagenet_eval", .name = "imagenet", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "crops of photographs, as ImageNet networks are trained and evaluated on")
(qfw::Registry& registry) {
  registry.add<qfw::imagenet::ImagenetTrain>(
      "imagenet_train", "a random crop, resized, mirrored at random, normalized; in evaluation the centre crop");
  registry.add<qfw::imagenet::ImagenetEval>("imagenet_eval",
                                            "the centre crop, resized, normalized; nothing random in training either");
}
