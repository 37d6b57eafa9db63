#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "qfw/preparation.h"

namespace qfw::onnx {

/// Prepared images taken back to the pixels that they were made of, for models whose input is `pixels`.
class Pixels {
 public:
  /// Of a preparation that resizes nothing: what it makes of a pixel is a table.
  explicit Pixels(const image::Preparation& preparation);

  int channels() const { return static_cast<int>(of_.size()); }
  /// Fills `pixels`, u8 [n, H, W, C] in the order RGB, from images, f32 [n, H, W, C]. Gives the position in them of the first
  /// value that no pixel becomes; none: all are made of pixels.
  std::optional<std::size_t> take(std::span<const float> images, std::span<std::byte> pixels) const;

 private:
  bool bgr_;
  std::vector<std::vector<std::pair<float, std::uint8_t>>> of_;  // by channel of the images, sorted by value
};

}  // namespace qfw::onnx
