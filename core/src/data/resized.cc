#include "data/resized.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "data/with_place.h"
#include "qfw/error.h"
#include "qfw/image.h"

namespace qfw {

namespace {

/// Of one thread.
struct Tools {
  image::Decoder decoder;
  image::Resizer resizer;
  std::vector<float> resized;
};

image::Size with_shorter_side(const image::Pixels& pixels, int side) {
  const int shorter = std::min(pixels.height, pixels.width);
  if (shorter <= side) return {pixels.height, pixels.width};
  const double factor = static_cast<double>(side) / shorter;
  const auto scaled = [&](int extent) { return std::max(1, static_cast<int>(std::lround(extent * factor))); };
  return {scaled(pixels.height), scaled(pixels.width)};
}

}  // namespace

Example Resized::get(std::string_view split, std::int64_t index) const {
  thread_local Tools tools;
  const Example example = inner().get(split, index);
  try {
    const image::Pixels pixels = tools.decoder.decode(example);
    const image::Size size = fit_ == Fit::square ? image::Size{side_, side_} : with_shorter_side(pixels, side_);
    const std::size_t count = static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width) * 3;
    const auto memory = std::make_shared<std::vector<std::uint8_t>>(count);
    if (size == image::Size{pixels.height, pixels.width}) {
      std::ranges::copy(pixels.data, memory->begin());
    } else {
      tools.resized.resize(count);
      tools.resizer.bicubic(pixels, size, false, {}, tools.resized);
      std::ranges::transform(tools.resized, memory->begin(),
                             [](float level) { return static_cast<std::uint8_t>(std::lround(std::clamp(level, 0.f, 255.f))); });
    }
    Example result = example;
    result.encoding = Example::Encoding::pixels;
    result.shape = {size.height, size.width, 3};
    result.bytes = std::as_bytes(std::span(*memory));
    // The name may lie in what the example owns.
    result.owner = std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(example.owner, memory);
    return result;
  } catch (const Error& error) {
    throw with_place(error, place(split, index));
  }
}

}  // namespace qfw
