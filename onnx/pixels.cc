#include "qfw/onnx/pixels.h"

#include <algorithm>

namespace qfw::onnx {

Pixels::Pixels(const image::Preparation& preparation) : bgr_(preparation.bgr) {
  for (const auto& table : image::tables_of(preparation)) {
    auto& values = of_.emplace_back();
    for (int pixel = 0; pixel < 256; ++pixel) values.emplace_back(table[pixel], static_cast<std::uint8_t>(pixel));
    std::ranges::sort(values);
  }
}

std::optional<std::size_t> Pixels::take(std::span<const float> images, std::span<std::byte> pixels) const {
  const std::size_t channels = of_.size();
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::size_t channel = i % channels;
    const auto& values = of_[channel];
    const auto found = std::ranges::lower_bound(values, images[i], {}, &std::pair<float, std::uint8_t>::first);
    if (found == values.end() || found->first != images[i]) return i;
    pixels[bgr_ ? i - channel + (channels - 1 - channel) : i] = static_cast<std::byte>(found->second);
  }
  return std::nullopt;
}

}  // namespace qfw::onnx
