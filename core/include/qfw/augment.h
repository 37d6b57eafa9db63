#pragma once

#include <optional>
#include <span>

#include "qfw/dataset.h"
#include "qfw/preparation.h"
#include "qfw/random.h"

namespace qfw {

/// Turns an example into what the model sees: decoded, cropped, flipped, normalised, straight into its place in the batch.
class QFW_API Augment {
 public:
  using Interface = Augment;
  static constexpr const char* kind = "augment";  ///< its word in recipes

  Augment() = default;
  Augment(const Augment&) = delete;
  Augment& operator=(const Augment&) = delete;
  virtual ~Augment();

  /// [H, W, C] of what apply() writes for examples of shape `source` (empty where they differ). Throws Error::Category::usage
  /// for one it cannot take.
  virtual Shape output(const Shape& source) const = 0;

  /// Thread-safe. `random` is the stream of (seed, epoch, index); an evaluation (`training` false) draws nothing from it.
  /// `image` is [H, W, C], row-major, to be filled with finite numbers. Throws Error::Category::data for an example it cannot
  /// decode.
  virtual void apply(const Example& example, RandomStream& random, bool training, std::span<float> image) const = 0;

  /// What apply() does in an evaluation, to the bit, for examples of shape `source` (empty where they differ). None, the
  /// default: it cannot be told so, and exported networks say only what they read.
  virtual std::optional<image::Preparation> preparation(const Shape& source) const;
};

}  // namespace qfw
