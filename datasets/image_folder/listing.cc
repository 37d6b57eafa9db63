#include "listing.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <sstream>

#include "files.h"
#include "names.h"

namespace qfw::image_folder {

namespace {

namespace fs = std::filesystem;

/// Calls `take` with the name of everything in a folder that is not skipped, and whether it is a folder, until it returns
/// false.
void for_each_in(const fs::path& folder, const std::function<bool(std::string name, bool is_folder)>& take) {
  std::error_code error;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::error_code ignored;  // of a link that leads nowhere: a file, which get() will find unreadable
    std::string name = entry->path().filename().string();
    if (!is_skipped(name) && !take(std::move(name), entry->is_directory(ignored))) return;
  }
  if (error) {
    fail(Error::Category::data, tag, fmt::format("cannot read the folder: {}", error.message()), folder.string(),
         "check dataset.data_dir and the folder's permissions");
  }
}

struct Contents {
  std::vector<std::string> folders, images, others;  ///< sorted
};

Contents contents_of(const fs::path& folder) {
  Contents contents;
  for_each_in(folder, [&](std::string name, bool is_folder) {
    auto& list = is_folder ? contents.folders : has_image_extension(name) ? contents.images : contents.others;
    list.push_back(std::move(name));
    return true;
  });
  for (auto* list : {&contents.folders, &contents.images, &contents.others}) std::ranges::sort(*list);
  return contents;
}

void check_depth(const fs::path& folder, int depth) {
  constexpr int deepest = 32;
  if (depth <= deepest) return;
  fail(Error::Category::data, tag, fmt::format("folders lie within each other more than {} deep", deepest), folder.string(),
       "a link probably leads back to a folder above it; remove it");
}

/// Reads no further than to the first one in the folder itself.
bool has_picture(const fs::path& folder, int depth) {
  check_depth(folder, depth);
  bool found = false;
  std::vector<std::string> folders;
  for_each_in(folder, [&](std::string name, bool is_folder) {
    if (is_folder) {
      folders.push_back(std::move(name));
    } else {
      found = has_image_extension(name);
    }
    return !found;
  });
  return found || std::ranges::any_of(folders, [&](const std::string& name) { return has_picture(folder / name, depth + 1); });
}

using Found = std::map<std::string, std::vector<std::string>>;  ///< images by the path of their folder, sorted

void walk(const fs::path& folder, int depth, Found& found, Counts& unread) {
  check_depth(folder, depth);
  Contents contents = contents_of(folder);
  for (const std::string& name : contents.folders) walk(folder / name, depth + 1, found, unread);
  for (const std::string& name : contents.others) {
    if (const std::string extension = extension_of(name); may_be_unread_picture(extension)) ++unread[extension];
  }
  if (!contents.images.empty()) found.emplace(folder.string(), std::move(contents.images));
}

void take(Found found, std::int64_t label, Listing& listing) {
  for (auto& [folder, images] : found) {
    const auto number = static_cast<std::uint32_t>(listing.folders.size());
    listing.folders.emplace_back(folder);
    for (std::string& image : images) {
      ++listing.read[extension_of(image)];
      listing.files.push_back({.folder = number, .label = label, .name = std::move(image)});
    }
  }
}

void note_files_beside(const Contents& contents, Listing& listing) {
  for (const auto* names : {&contents.images, &contents.others}) {
    for (const std::string& name : *names) {
      const std::string extension = extension_of(name);
      if (!has_image_extension(name) && !may_be_unread_picture(extension) && !is_archive(extension)) continue;
      ++listing.beside[extension];
      if (listing.first_beside.empty()) listing.first_beside = name;
    }
  }
}

}  // namespace

std::vector<std::string> class_folders(const fs::path& split) {
  std::vector<std::string> folders = contents_of(split).folders;
  std::erase_if(folders, [&](const std::string& name) { return !has_picture(split / name, 1); });
  return folders;
}

std::vector<std::string> read_class_list(const fs::path& root) {
  const fs::path file = root / class_list_name;
  std::error_code error;
  if (!fs::exists(file, error)) return {};
  const Bytes bytes = read_bytes(file, most_list);
  std::istringstream text(std::string(reinterpret_cast<const char*>(bytes.memory.get()), bytes.size));
  std::vector<std::string> names;
  for (std::string name; std::getline(text, name);) names.push_back(std::move(name));
  if (names.empty() || !std::ranges::is_sorted(names, std::ranges::less_equal())) {
    fail(Error::Category::data, tag, "the list of classes is not sorted, or names one twice", file.string(),
         "remove it: classes are then the folders that hold pictures");
  }
  return names;
}

Listing list_classes(const fs::path& split, const std::vector<std::string>& class_names) {
  std::map<std::string_view, std::int64_t> labels;
  for (const std::string& name : class_names) labels.emplace(name, static_cast<std::int64_t>(labels.size()));
  Listing listing;
  const Contents contents = contents_of(split);
  note_files_beside(contents, listing);
  for (const std::string& name : contents.folders) {
    Found found;
    walk(split / name, 1, found, listing.unread);
    if (found.empty()) {
      listing.empty.push_back(name);
      continue;
    }
    const auto place = labels.find(name);
    if (place == labels.end()) {
      fail(Error::Category::data, tag, fmt::format("the folder {} is not among the {} classes", name, class_names.size()),
           (split / name).string(),
           fmt::format(
               "classes are the folders of train that hold pictures, or those that {} lists; remove it or move its files",
               class_list_name));
    }
    if (found.size() > 1 && !found.contains((split / name).string())) listing.deeper.push_back(name);
    take(std::move(found), place->second, listing);
  }
  return listing;
}

Listing list_flat(const fs::path& split) {
  Listing listing;
  Contents contents = contents_of(split);
  for (const std::string& name : contents.others) {
    if (const std::string extension = extension_of(name); may_be_unread_picture(extension)) ++listing.unread[extension];
  }
  std::ranges::copy_if(contents.folders, std::back_inserter(listing.below),
                       [&](const std::string& name) { return has_picture(split / name, 1); });
  take({{split.string(), std::move(contents.images)}}, 0, listing);
  return listing;
}

std::vector<std::string> entries_of(const fs::path& folder) {
  Contents contents = contents_of(folder);
  for (auto* names : {&contents.images, &contents.others}) std::ranges::move(*names, std::back_inserter(contents.folders));
  return std::move(contents.folders);
}

}  // namespace qfw::image_folder
