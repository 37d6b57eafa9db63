#include "normalization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "qfw/error.h"
#include "qfw/image.h"

namespace qfw::pixels {

namespace {

/// Of one thread: buffers that live from one image to the next.
struct Tools {
  image::Decoder decoder;
  std::vector<std::byte> grey;
};
Tools& tools() {
  thread_local Tools all;
  return all;
}

/// A file's pixels: of three channels, or of one where there is only room for that.
Example decoded(const Example& example, std::size_t room) {
  const image::Pixels found = tools().decoder.decode(example);
  Example result{.shape = {found.height, found.width, 3}, .bytes = std::as_bytes(found.data)};
  if (found.data.size() != 3 * room) return result;
  auto& grey = tools().grey;
  grey.resize(room);
  for (std::size_t i = 0; i < room; ++i) grey[i] = result.bytes[3 * i];
  return {.shape = {found.height, found.width, 1}, .bytes = grey};
}

}  // namespace

Normalization::Normalization(const NormalizationOptions& options)
    : image_size_(options.image_size), mean_(options.mean), stddev_(options.stddev) {
  const std::size_t means = options.mean.size(), stddevs = options.stddev.size();
  if (means == 0 || stddevs == 0 || (means != stddevs && means != 1 && stddevs != 1)) {
    fail(Error::Category::usage, "augment", fmt::format("mean has {} values, stddev {}", means, stddevs), {},
         "give each one number, or one per channel");
  }
  for (const double stddev : options.stddev) {
    if (!(stddev > 0) || !std::isfinite(stddev)) {
      fail(Error::Category::usage, "augment", fmt::format("stddev is {}", stddev), {}, "give numbers above 0");
    }
  }
  tables_.resize(std::max(means, stddevs));
  for (std::size_t channel = 0; channel < tables_.size(); ++channel) {
    const double mean = options.mean[means == 1 ? 0 : channel], stddev = options.stddev[stddevs == 1 ? 0 : channel];
    for (int pixel = 0; pixel < 256; ++pixel) {
      tables_[channel][static_cast<std::size_t>(pixel)] = static_cast<float>((pixel / 255.0 - mean) / stddev);
    }
  }
}

Shape Normalization::output(const Shape& source) const {
  const Shape shape = source.rank() == 0 && image_size_ > 0 ? Shape{image_size_, image_size_, 3} : source;
  if (shape.rank() != 3) {
    fail(Error::Category::usage, "augment", "this augment takes images of one known size, the data set's sizes differ", {},
         "choose an augment that crops or resizes, or give image_size if they are all of one");
  }
  if (image_size_ > 0 && (shape[0] != image_size_ || shape[1] != image_size_)) {
    fail(Error::Category::usage, "augment",
         fmt::format("image_size is {}, the data set's images are {}", image_size_, shape.str()), {}, "leave it out");
  }
  if (tables_.size() != 1 && static_cast<std::int64_t>(tables_.size()) != shape[2]) {
    fail(Error::Category::usage, "augment",
         fmt::format("mean and stddev have {} values, images have {} channels", tables_.size(), shape[2]), {},
         "give one number, or one per channel");
  }
  return shape;
}

image::Preparation Normalization::preparation(const Shape& source) const {
  const Shape shape = output(source);
  return {.height = static_cast<int>(shape[0]),
          .width = static_cast<int>(shape[1]),
          .channels = static_cast<int>(shape[2]),
          .fit = image::Preparation::Fit::exact,
          .mean = mean_,
          .stddev = stddev_};
}

Example Normalization::pixels(const Example& example, std::span<float> image) const {
  const Example result = example.encoding == Example::Encoding::pixels ? example : decoded(example, image.size());
  const bool fits =
      image_size_ == 0 || (result.shape.rank() == 3 && result.shape[0] == image_size_ && result.shape[1] == image_size_);
  if (!fits || result.shape.rank() != 3 || result.bytes.size() != static_cast<std::size_t>(result.shape.count()) ||
      result.bytes.size() != image.size()) {
    fail(Error::Category::data, "augment",
         fmt::format("the example has {} bytes for pixels {}, the batch has room for {} values", result.bytes.size(),
                     result.shape.str(), image.size()));
  }
  output(result.shape);
  return result;
}

}  // namespace qfw::pixels
