#include "dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "files.h"
#include "labels.h"
#include "qfw/image.h"

namespace qfw::image_folder {

namespace {

namespace fs = std::filesystem;

constexpr const char* layout = "expected are the folders train/CLASS and val/CLASS (or validation, test) in dataset.data_dir";

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

}  // namespace

ImageFolder::ImageFolder(const Options& options)
    : root_(with_home(options.data_dir)), labels_(with_home(options.validation_labels)) {
  if (options.data_dir.empty()) fail(Error::Category::usage, tag, "dataset.data_dir is not set", {}, layout);
  if (!is_folder(root_)) fail(Error::Category::data, tag, "there is no such folder", root_.string(), "set dataset.data_dir");
  find_splits();
  find_classes();
}

void ImageFolder::find_splits() {
  constexpr std::pair<const char*, const char*> known[] = {
      {"train", "train"}, {"validation", "val"}, {"validation", "validation"}, {"test", "test"}};
  for (const auto& [name, folder] : known) {
    if (!is_folder(root_ / folder)) continue;
    if (!splits_.empty() && splits_.back().name == name) {
      fail(Error::Category::data, tag, "there are both val and validation", root_.string(), "remove or rename one of them");
    }
    Split& split = splits_.emplace_back();
    split.name = name, split.folder = root_ / folder;
    split.flat = split.name == "validation" && !labels_.empty();
  }
  if (splits_.empty()) fail(Error::Category::data, tag, "there is no split", root_.string(), layout);
}

void ImageFolder::find_classes() {
  for (const Split& split : splits_) {
    if (split.flat) continue;
    class_names_ = class_folders(split.folder);
    if (class_names_.empty()) {
      fail(Error::Category::data, tag, fmt::format("split {} has no folders of classes", split.name), split.folder.string(),
           split.name == "validation" ? "put each class's files into a folder of its own, or set dataset.validation_labels"
                                      : layout);
    }
    return;
  }
  class_names_ = classes_of(list_flat(splits_.front().folder), read_labels(labels_));
}

std::vector<std::string> ImageFolder::splits() const {
  std::vector<std::string> names;
  for (const Split& split : splits_) names.push_back(split.name);
  return names;
}

const Listing& ImageFolder::listing(std::string_view name) const {
  for (Split& split : splits_) {
    if (split.name != name) continue;
    if (!split.ready.load(std::memory_order_acquire)) {
      const std::lock_guard lock(split.mutex);
      if (!split.ready.load(std::memory_order_relaxed)) {
        fill(split);
        split.ready.store(true, std::memory_order_release);
      }
    }
    return split.listing;
  }
  fail(Error::Category::usage, tag, fmt::format("there is no split {}", name), root_.string(),
       fmt::format("the splits are {}", fmt::join(splits(), ", ")));
}

void ImageFolder::fill(Split& split) const {
  if (split.flat) {
    split.listing = list_flat(split.folder);
  } else {
    split.listing = list_classes(split.folder, class_names_);
  }
  if (split.listing.files.empty()) {
    fail(Error::Category::data, tag, fmt::format("split {} has no image files", split.name), split.folder.string(),
         "their names end with .jpg, .jpeg or .png");
  }
  if (split.flat) label_files(split.listing, read_labels(labels_), class_names_);
}

std::int64_t ImageFolder::size(std::string_view split) const { return static_cast<std::int64_t>(listing(split).files.size()); }

std::size_t ImageFolder::checked(std::string_view split, std::int64_t index) const {
  const std::int64_t count = size(split);
  if (index < 0 || index >= count) {
    fail(Error::Category::data, tag, fmt::format("no example {}: split {} has {}", index, split, count), root_.string());
  }
  return static_cast<std::size_t>(index);
}

std::string ImageFolder::place(std::string_view split, std::int64_t index) const {
  return listing(split).path(checked(split, index)).string();
}

Example ImageFolder::get(std::string_view split, std::int64_t index) const {
  const Listing& all = listing(split);
  const std::size_t number = checked(split, index);
  const fs::path path = all.path(number);
  const Bytes bytes = read_bytes(path);
  Example example;
  example.bytes = {bytes.memory.get(), bytes.size};
  example.owner = bytes.memory;
  example.label = all.files[number].label;
  example.name = all.files[number].name;
  const auto encoding = image::encoding_of(example.bytes);
  if (!encoding) {
    fail(Error::Category::data, tag,
         bytes.size == 0 ? "the file is empty" : fmt::format("these {} bytes are neither a JPEG nor a PNG", bytes.size),
         path.string(), "replace the file or remove it, or set dataset.on_corrupt = skip");
  }
  example.encoding = *encoding;
  return example;
}

}  // namespace qfw::image_folder
