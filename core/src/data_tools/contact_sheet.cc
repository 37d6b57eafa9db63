#include "data_tools/contact_sheet.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/pipeline.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/image.h"

namespace qfw {

namespace {

constexpr int gap = 2;  // pixels between two pictures

}  // namespace

void write_contact_sheet(const std::filesystem::path& file, const Dataset& dataset, const Augment& augment,
                         std::string_view split, const ContactSheet& sheet) {
  const std::int64_t pictures = std::min<std::int64_t>(std::int64_t{sheet.rows} * sheet.columns, dataset.size(split));
  PipelineSettings settings;
  settings.split = split;
  settings.batch = pictures;
  settings.seed = sheet.seed;
  settings.training = sheet.training;
  Pipeline pipeline(dataset, augment, settings);
  const Shape shape = pipeline.image_shape();
  const std::int64_t channels = shape[2];
  if (channels != 1 && channels != 3) {
    fail(Error::Category::usage, "show", fmt::format("images of {} channels cannot be shown", channels));
  }
  const auto batch = pipeline.next();
  if (!batch) fail(Error::Category::data, "show", "the split is empty", split);
  const auto [darkest, brightest] = std::ranges::minmax(batch->images);
  const float factor = brightest > darkest ? 255 / (brightest - darkest) : 0;

  const auto height = static_cast<int>(shape[0]), width = static_cast<int>(shape[1]);
  const int rows = static_cast<int>((pictures + sheet.columns - 1) / sheet.columns);
  const int total_height = rows * (height + gap) - gap, total_width = sheet.columns * (width + gap) - gap;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(total_height) * static_cast<std::size_t>(total_width) * 3, 255);
  const float* next = batch->images.data();
  for (int picture = 0; picture < pictures; ++picture) {
    const int top = picture / sheet.columns * (height + gap), left = picture % sheet.columns * (width + gap);
    for (int y = 0; y < height; ++y) {
      auto* row =
          pixels.data() +
          (static_cast<std::size_t>(top + y) * static_cast<std::size_t>(total_width) + static_cast<std::size_t>(left)) * 3;
      for (int x = 0; x < width; ++x, next += channels) {
        for (int c = 0; c < 3; ++c)
          row[3 * x + c] = static_cast<std::uint8_t>(std::lround((next[channels == 1 ? 0 : c] - darkest) * factor));
      }
    }
  }
  const auto png = image::encode_png({total_height, total_width, 3, pixels});
  write_text_atomically(file, {reinterpret_cast<const char*>(png.data()), png.size()});
}

}  // namespace qfw
