#pragma once

#include <array>
#include <vector>

#include "qfw/augment.h"
#include "qfw/options.h"

namespace qfw::pixels {

struct NormalizationOptions {
  std::vector<double> mean{0.0}, stddev{1.0};

  template <class Options>
  static void declare(Declare<Options>& option) {
    option("mean", &Options::mean, "subtracted from pixel / 255; one number or one per channel");
    option("stddev", &Options::stddev, "divided by after that; one number or one per channel, above 0");
  }
};

/// (pixel / 255 - mean) / stddev, computed in double and rounded once, as a table.
class Normalization {
 public:
  explicit Normalization(const NormalizationOptions& options);

  /// Throws Error::Category::usage if `source` is unknown or has another number of channels than mean and stddev.
  void check(const Shape& source) const;
  /// Throws Error::Category::data unless `example` holds the decoded pixels of an image as large as `image`.
  void check(const Example& example, std::span<float> image) const;

  float operator()(std::byte pixel, std::int64_t channel) const {
    return tables_[tables_.size() == 1 ? 0 : static_cast<std::size_t>(channel)][static_cast<std::size_t>(pixel)];
  }

 private:
  std::vector<std::array<float, 256>> tables_;  ///< one, or one per channel
};

}  // namespace qfw::pixels
