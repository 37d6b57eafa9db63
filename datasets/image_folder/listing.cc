#include "listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "files.h"

namespace qfw::image_folder {

namespace {

namespace fs = std::filesystem;

struct Contents {
  std::vector<std::string> folders, images;  ///< sorted
};

Contents contents_of(const fs::path& folder) {
  Contents contents;
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;  // of a link that leads nowhere: a file, which get() will find unreadable
    std::string name = entry->path().filename().string();
    if (entry->is_directory(ignored)) {
      contents.folders.push_back(std::move(name));
    } else if (has_image_extension(name)) {
      contents.images.push_back(std::move(name));
    }
  }
  if (error) {
    fail(Error::Category::data, tag, fmt::format("cannot read the folder: {}", error.message()), folder.string(),
         "check dataset.data_dir and the folder's permissions");
  }
  std::ranges::sort(contents.folders);
  std::ranges::sort(contents.images);
  return contents;
}

using Found = std::map<std::string, std::vector<std::string>>;  ///< images by the path of their folder, sorted

void walk(const fs::path& folder, int depth, Found& found) {
  constexpr int deepest = 32;
  if (depth > deepest) {
    fail(Error::Category::data, tag, fmt::format("folders lie within each other more than {} deep", deepest), folder.string(),
         "a link probably leads back to a folder above it; remove it");
  }
  Contents contents = contents_of(folder);
  for (const std::string& name : contents.folders) walk(folder / name, depth + 1, found);
  if (!contents.images.empty()) found.emplace(folder.string(), std::move(contents.images));
}

}  // namespace

std::vector<std::string> class_folders(const fs::path& split) { return contents_of(split).folders; }

Listing list_classes(const fs::path& split, const std::vector<std::string>& class_names) {
  Listing listing;
  for (const std::string& name : class_folders(split)) {
    const auto place = std::ranges::lower_bound(class_names, name);
    if (place == class_names.end() || *place != name) {
      fail(Error::Category::data, tag, fmt::format("the folder {} is not among the {} classes", name, class_names.size()),
           (split / name).string(), "every split has the classes of the folder train; remove it or move its files");
    }
    Found found;
    walk(split / name, 1, found);
    for (auto& [folder, images] : found) {
      const auto number = static_cast<std::uint32_t>(listing.folders.size());
      listing.folders.emplace_back(folder);
      for (std::string& image : images) {
        listing.files.push_back({.folder = number, .label = place - class_names.begin(), .name = std::move(image)});
      }
    }
  }
  return listing;
}

Listing list_flat(const fs::path& split) {
  Listing listing;
  listing.folders.push_back(split);
  for (std::string& name : contents_of(split).images) listing.files.push_back({.name = std::move(name)});
  return listing;
}

}  // namespace qfw::image_folder
