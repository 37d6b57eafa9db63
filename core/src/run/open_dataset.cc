#include "run/open_dataset.h"

#include <fmt/format.h>

#include "data/memory_cache.h"
#include "data/pixel_cache.h"
#include "data/resized.h"

namespace qfw {

namespace {

/// The same folder has one cache, and two folders of one relative name have two.
std::string with_whole_path(const std::string& value) {
  std::error_code error;
  return !value.empty() && std::filesystem::exists(value, error) ? std::filesystem::absolute(value).lexically_normal().string()
                                                                 : value;
}

}  // namespace

std::unique_ptr<Dataset> open_dataset(const Recipe& recipe, int workers, CorruptExamples& corrupt) {
  auto dataset = recipe.make<Dataset>();
  const DatasetSettings& settings = recipe.dataset();
  if (settings.cache == "memory") return std::make_unique<MemoryCache>(std::move(dataset), settings.cache_mib << 20);
  if (settings.cache == "disk") {
    const auto side = static_cast<int>(settings.cache_image_size);
    std::string identity = fmt::format("{} {}\n", recipe.name("dataset"), side);
    for (const auto& [key, value] : recipe.settings("dataset"))
      identity += fmt::format("{} = {}\n", key, with_whole_path(to_string(value)));
    return std::make_unique<PixelCache>(
        std::make_unique<Resized>(std::move(dataset), side, Resized::Fit::shorter_side),
        PixelCache::Settings{.folder = recipe.dataset_cache_dir(), .identity = identity, .workers = workers}, corrupt);
  }
  return dataset;
}

void prepare_split(Dataset& dataset, std::string_view split) {
  if (auto* cache = dynamic_cast<PixelCache*>(&dataset)) cache->prepare(split);
}

}  // namespace qfw
