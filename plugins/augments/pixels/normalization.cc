#include "normalization.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "qfw/error.h"

namespace qfw::pixels {

Normalization::Normalization(const NormalizationOptions& options) {
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

void Normalization::check(const Shape& source) const {
  if (source.rank() != 3) {
    fail(Error::Category::usage, "augment", "this augment takes images of one known size, the data set's sizes differ", {},
         "choose an augment that crops or resizes");
  }
  if (tables_.size() != 1 && static_cast<std::int64_t>(tables_.size()) != source[2]) {
    fail(Error::Category::usage, "augment",
         fmt::format("mean and stddev have {} values, images have {} channels", tables_.size(), source[2]), {},
         "give one number, or one per channel");
  }
}

void Normalization::check(const Example& example, std::span<float> image) const {
  if (example.encoding != Example::Encoding::pixels) {
    const char* found = example.encoding == Example::Encoding::jpeg ? "JPEG" : "PNG";
    fail(Error::Category::data, "augment", fmt::format("the example is a {} file, this augment takes decoded pixels", found),
         {}, "choose an augment that decodes");
  }
  if (example.shape.rank() != 3 || example.bytes.size() != static_cast<std::size_t>(example.shape.count()) ||
      example.bytes.size() != image.size()) {
    fail(Error::Category::data, "augment",
         fmt::format("the example has {} bytes for pixels {}, the batch has room for {} values", example.bytes.size(),
                     example.shape.str(), image.size()));
  }
  check(example.shape);
}

}  // namespace qfw::pixels
