#include "data_tools/thumbnail.h"

#include <algorithm>
#include <boost/archive/iterators/base64_from_binary.hpp>
#include <boost/archive/iterators/transform_width.hpp>
#include <cmath>
#include <vector>

#include "qfw/error.h"

namespace qfw {

namespace {

constexpr std::int64_t most_pixels = std::int64_t{1} << 26;

/// The mean of the pixels that lie under each one of a smaller picture: nothing of them is skipped.
std::vector<std::uint8_t> averaged(const image::Pixels& from, image::Size size) {
  std::vector<std::uint8_t> to;
  to.reserve(static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3);
  const auto begin = [](std::int64_t i, int extent, int of) { return static_cast<int>(i * of / extent); };
  for (int y = 0; y < size.height; ++y) {
    const int top = begin(y, size.height, from.height), bottom = begin(y + 1, size.height, from.height);
    for (int x = 0; x < size.width; ++x) {
      const int left = begin(x, size.width, from.width), right = begin(x + 1, size.width, from.width);
      for (int channel = 0; channel < 3; ++channel) {
        std::int64_t sum = 0;
        for (int row = top; row < bottom; ++row) {
          for (int column = left; column < right; ++column)
            sum += from.data[(static_cast<std::size_t>(row) * from.width + column) * 3 + channel];
        }
        const std::int64_t count = std::int64_t{bottom - top} * (right - left);
        to.push_back(static_cast<std::uint8_t>((sum + count / 2) / count));
      }
    }
  }
  return to;
}

image::Size fitted(image::Size size, int longest) {
  const double factor = std::min(1.0, static_cast<double>(longest) / std::max(size.height, size.width));
  const auto scaled = [&](int extent) { return std::max(1, static_cast<int>(std::lround(extent * factor))); };
  return {scaled(size.height), scaled(size.width)};
}

}  // namespace

std::optional<Thumbnail> thumbnail_of(const Example& example, int longest) try {
  image::Decoder decoder;
  const image::Size size = decoder.size(example);
  if (std::int64_t{size.height} * size.width > most_pixels) return std::nullopt;
  const image::Pixels pixels = decoder.decode(example);
  const image::Size small = fitted(size, longest);
  const std::vector<std::uint8_t> averages = averaged(pixels, small);
  return Thumbnail{size, "data:image/png;base64," + base64(image::encode_png({small.height, small.width, 3, averages}))};
} catch (const Error&) {
  return std::nullopt;
}

std::string base64(std::span<const std::byte> bytes) {
  namespace iterators = boost::archive::iterators;
  using Text = iterators::base64_from_binary<iterators::transform_width<const unsigned char*, 6, 8>>;
  std::vector<unsigned char> whole(bytes.size() + (3 - bytes.size() % 3) % 3);  // the iterators read groups of three
  std::ranges::transform(bytes, whole.begin(), [](std::byte byte) { return static_cast<unsigned char>(byte); });
  std::string text(Text(whole.data()), Text(whole.data() + whole.size()));
  const std::size_t padding = whole.size() - bytes.size();
  return text.replace(text.size() - padding, padding, padding, '=');
}

}  // namespace qfw
