#include "crop.h"

#include <algorithm>
#include <cmath>
#include <optional>

namespace qfw::imagenet {

namespace {

int below(RandomStream& random, int limit) { return static_cast<int>(random.below(static_cast<std::uint64_t>(limit))); }
int rounded(float value) { return static_cast<int>(std::lrint(value)); }

/// The tallest window of this aspect, at most `height`, that is not wider than the picture.
int fitting(int height, float aspect, image::Size picture) {
  if (rounded(static_cast<float>(height) * aspect) > picture.width) {
    height = static_cast<int>((static_cast<float>(picture.width) + 0.5f - 1e-7f) / aspect);
    if (rounded(static_cast<float>(height) * aspect) > picture.width) --height;
  }
  return std::min(height, picture.height);
}

std::optional<image::Window> attempt(image::Size picture, const CropOptions& options, RandomStream& random) {
  const auto aspect = static_cast<float>(options.aspect_min + random.uniform() * (options.aspect_max - options.aspect_min));
  const double area = static_cast<double>(picture.height) * picture.width;
  const auto smallest = static_cast<float>(options.area_min * area), largest = static_cast<float>(options.area_max * area);
  const int highest = fitting(rounded(std::sqrt(largest / aspect)), aspect, picture);
  int height = std::min(rounded(std::sqrt(smallest / aspect)), highest);
  if (height < highest) height += below(random, highest - height + 1);

  const auto width_of = [&](int h) { return rounded(static_cast<float>(h) * aspect); };
  const auto area_of = [&](int h) { return static_cast<float>(h) * static_cast<float>(width_of(h)); };
  if (area_of(height) < smallest) ++height;  // rounding made it a little too small,
  if (area_of(height) > largest) --height;   // or too large
  const int width = width_of(height);
  if (area_of(height) < smallest || area_of(height) > largest ||
      area_of(height) < static_cast<float>(options.covered_min * area) || width > picture.width || height > picture.height ||
      width < 1 || height < 1) {
    return std::nullopt;
  }
  const int y = height < picture.height ? below(random, picture.height - height) : 0;
  const int x = width < picture.width ? below(random, picture.width - width) : 0;
  return image::Window{y, x, height, width};
}

}  // namespace

image::Window random_crop(image::Size picture, const CropOptions& options, RandomStream& random) {
  for (int i = 0; i < options.attempts; ++i) {
    if (const auto window = attempt(picture, options, random)) return *window;
  }
  return {0, 0, picture.height, picture.width};
}

}  // namespace qfw::imagenet
