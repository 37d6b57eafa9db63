#include "qfw/plugin.h"

#include <algorithm>

#include "normalization.h"

namespace qfw::pixels {

class None final : public Augment {
 public:
  using Options = NormalizationOptions;
  explicit None(const Options& options) : normalize_(options) {}

  Shape output(const Shape& source) const override { return normalize_.output(source); }
  std::optional<image::Preparation> preparation(const Shape& source) const override { return normalize_.preparation(source); }

  void apply(const Example& example, RandomStream&, bool, std::span<float> image) const override {
    const Example pixels = normalize_.pixels(example, image);
    const std::int64_t channels = pixels.shape[2];
    for (std::size_t i = 0; i < image.size();) {
      for (std::int64_t c = 0; c < channels; ++c, ++i) image[i] = normalize_(pixels.bytes[i], c);
    }
  }

 private:
  Normalization normalize_;
};

class ShiftFlip final : public Augment {
 public:
  struct Options : NormalizationOptions {
    int shift = 2;
    bool flip = true;
    static void declare(Declare<Options>& option) {
      option("shift", &Options::shift, "pixels that an image moves at most, in each direction; what enters is black; 0: none",
             {.min = 0, .max = 255});
      option("flip", &Options::flip, "mirror images left to right, each with probability 1/2");
      NormalizationOptions::declare(option);
    }
  };
  explicit ShiftFlip(const Options& options) : normalize_(options), shift_(options.shift), flip_(options.flip) {}

  Shape output(const Shape& source) const override { return normalize_.output(source); }
  std::optional<image::Preparation> preparation(const Shape& source) const override { return normalize_.preparation(source); }

  void apply(const Example& example, RandomStream& random, bool training, std::span<float> image) const override {
    const Example pixels = normalize_.pixels(example, image);
    std::int64_t down = 0, right = 0;
    bool mirrored = false;
    if (training) {
      const auto choices = static_cast<std::uint64_t>(2 * shift_ + 1);
      down = static_cast<std::int64_t>(random.below(choices)) - shift_;
      right = static_cast<std::int64_t>(random.below(choices)) - shift_;
      mirrored = random.below(2) == 1 && flip_;
    }
    const std::int64_t height = pixels.shape[0], width = pixels.shape[1], channels = pixels.shape[2];
    float* to = image.data();
    for (std::int64_t y = 0; y < height; ++y) {
      const std::int64_t from_y = y - down;
      for (std::int64_t x = 0; x < width; ++x) {
        const std::int64_t from_x = (mirrored ? width - 1 - x : x) - right;
        const bool inside = from_y >= 0 && from_y < height && from_x >= 0 && from_x < width;
        const std::byte* from =
            inside ? &pixels.bytes[static_cast<std::size_t>((from_y * width + from_x) * channels)] : nullptr;
        for (std::int64_t c = 0; c < channels; ++c) *to++ = normalize_(inside ? from[c] : std::byte{0}, c);
      }
    }
  }

 private:
  Normalization normalize_;
  std::int64_t shift_;
  bool flip_;
};

}  // namespace qfw::pixels

QFW_PLUGIN("augment:none augment:shift_flip", .name = "pixels", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "augmentation of images of one size")
(qfw::Registry& registry) {
  registry.add<qfw::pixels::None>("none", "normalized pixels, nothing else");
  registry.add<qfw::pixels::ShiftFlip>("shift_flip", "shifted by a few pixels and mirrored at random, then normalized");
}
