#pragma once

#include <array>
#include <vector>

#include "qfw/augment.h"
#include "qfw/options.h"

namespace qfw::pixels {

struct NormalizationOptions {
  int image_size = 0;
  std::vector<double> mean{0.0}, stddev{1.0};

  template <class Options>
  static void declare(Declare<Options>& option) {
    option("image_size", &Options::image_size,
           "pixels: height and width of the images, for a data set of JPEG or PNG files that are all of this size; 0: as the "
           "data set says",
           {.min = 0, .max = 16384});
    option("mean", &Options::mean, "subtracted from pixel / 255; one number, or one for each channel");
    option("stddev", &Options::stddev, "divides the difference; one number, or one for each channel, above 0");
  }
};

/// (pixel / 255 - mean) / stddev, computed in double and rounded once, as a table.
class Normalization {
 public:
  explicit Normalization(const NormalizationOptions& options);

  /// Of images of shape `source`, which need not be known if image_size is given. Throws Error::Category::usage if it is, or
  /// has another number of channels than mean and stddev.
  Shape output(const Shape& source) const;
  /// What becomes of images of that shape where they are neither moved nor mirrored.
  image::Preparation preparation(const Shape& source) const;
  /// The pixels of an example, decoded if it is a file; of a thread, until its next call. Throws Error::Category::data unless
  /// they are as many as `image` has room for.
  Example pixels(const Example& example, std::span<float> image) const;

  float operator()(std::byte pixel, std::int64_t channel) const {
    return tables_[tables_.size() == 1 ? 0 : static_cast<std::size_t>(channel)][static_cast<std::size_t>(pixel)];
  }

 private:
  int image_size_;
  std::vector<double> mean_, stddev_;
  std::vector<std::array<float, 256>> tables_;  ///< one, or one per channel
};

}  // namespace qfw::pixels
