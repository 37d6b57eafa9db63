#include "dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "files.h"
#include "identity.h"
#include "names.h"
#include "notes.h"
#include "qfw/image.h"

namespace qfw::image_folder {

namespace {

namespace fs = std::filesystem;

constexpr const char* layout =
    "expected are the folders train/CLASS and val/CLASS (or validation, valid; test) in dataset.data_dir";

bool is_folder(const fs::path& path) {
  std::error_code error;
  return fs::is_directory(path, error);
}

constexpr std::pair<const char*, const char*> known_splits[] = {
    {"train", "train"}, {"validation", "val"}, {"validation", "validation"}, {"validation", "valid"}, {"test", "test"}};

/// What lies in the folder instead of splits; a folder below that has them is the likely one.
[[noreturn]] void no_split(const fs::path& root) {
  const std::vector<std::string> entries = entries_of(root);
  for (const std::string& entry : entries) {
    if (!is_folder(root / entry / "train")) continue;
    fail(Error::Category::data, tag, "there is no split, but the folder below has one", root.string(),
         fmt::format("set dataset.data_dir = {}", (root / entry).string()));
  }
  fail(Error::Category::data, tag,
       entries.empty() ? "the folder is empty" : fmt::format("there is no split; what is there: {}", some_of(entries)),
       root.string(), layout);
}

[[noreturn]] void no_pictures(const std::string& split, const fs::path& folder, bool flat) {
  fail(Error::Category::data, tag, fmt::format("split {} has no image files", split), folder.string(),
       flat && !class_folders(folder).empty() ? "there are folders of classes: leave out dataset.validation_labels"
                                              : "their names end with .jpg, .jpeg, .png or .webp");
}

}  // namespace

ImageFolder::ImageFolder(const Options& options)
    : root_(with_home(options.data_dir)),
      labels_(with_home(options.validation_labels)),
      meaning_(options.validation_labels_are == "names"    ? Meaning::names
               : options.validation_labels_are == "places" ? Meaning::places
                                                           : Meaning::automatic) {
  if (options.data_dir.empty()) fail(Error::Category::usage, tag, "dataset.data_dir is not set", {}, layout);
  if (!is_folder(root_)) fail(Error::Category::data, tag, "there is no such folder", root_.string(), "set dataset.data_dir");
  find_splits();
  find_classes();
}

void ImageFolder::find_splits() {
  for (const auto& [name, folder] : known_splits) {
    if (!is_folder(root_ / folder)) continue;
    if (!splits_.empty() && splits_.back().name == name) {
      fail(Error::Category::data, tag,
           fmt::format("there are both {} and {}", splits_.back().folder.filename().string(), folder), root_.string(),
           "remove or rename one of them");
    }
    if (!is_split(name, root_ / folder)) continue;
    Split& split = splits_.emplace_back();
    split.name = name;
    split.folder = root_ / folder;
    split.flat = split.name == "validation" && !labels_.empty();
  }
  if (splits_.empty()) no_split(root_);
  if (std::ranges::find(splits_, "validation", &Split::name) != splits_.end()) return;
  std::vector<std::string> others = entries_of(root_);
  std::erase_if(others, [&](const std::string& entry) {
    return !is_folder(root_ / entry) || std::ranges::find(known_splits, entry, [](const auto& known) {
                                          return known.second;
                                        }) != std::ranges::end(known_splits);
  });
  if (!others.empty())
    notes_.push_back(fmt::format("there is no validation split in {}; folders of other names are no splits: {}", root_.string(),
                                 some_of(others)));
}

/// Pictures without folders of classes want a list of labels where they are to validate, and are left alone where they are a
/// test's.
bool ImageFolder::is_split(const std::string& name, const fs::path& folder) {
  if (name == "train" || (name == "validation" && !labels_.empty()) || !class_folders(folder).empty()) return true;
  const std::size_t pictures = list_flat(folder).files.size();
  if (pictures > 0 && name == "validation") {
    fail(Error::Category::data, tag,
         fmt::format("{} pictures lie in the folder itself, which has no folders of classes", pictures), folder.string(),
         "put each class's files into a folder of its own, or set dataset.validation_labels to a list of labels");
  }
  if (name == "test")
    notes_.push_back(
        fmt::format("{} holds no folders of classes with pictures: without labels it is no split", folder.string()));
  return name != "test";
}

void ImageFolder::find_classes() {
  const Split& first = splits_.front();
  if (first.flat) {
    const Listing flat = list_flat(first.folder);
    if (flat.files.empty()) no_pictures(first.name, first.folder, true);
    class_names_ = classes_of(read_labels(labels_, flat, {}));
    return;
  }
  class_names_ = read_class_list(root_);
  if (class_names_.empty()) class_names_ = class_folders(first.folder);
  if (!class_names_.empty()) return;
  const std::size_t pictures = list_flat(first.folder).files.size();
  fail(Error::Category::data, tag,
       fmt::format("split {} has no folders of classes with pictures{}", first.name,
                   pictures > 0 ? fmt::format("; {} pictures lie in the folder itself", pictures) : ""),
       first.folder.string(), layout);
}

std::vector<std::string> ImageFolder::splits() const {
  std::vector<std::string> names;
  for (const Split& split : splits_) names.push_back(split.name);
  return names;
}

ImageFolder::Split& ImageFolder::ready_split(std::string_view name) const {
  for (Split& split : splits_) {
    if (split.name != name) continue;
    if (!split.ready.load(std::memory_order_acquire)) {
      const std::lock_guard lock(split.mutex);
      if (!split.ready.load(std::memory_order_relaxed)) {
        fill(split);
        split.ready.store(true, std::memory_order_release);
      }
    }
    return split;
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
  if (split.listing.files.empty()) no_pictures(split.name, split.folder, split.flat);
  if (split.flat) label_files(split.listing, read_labels(labels_, split.listing, class_names_), class_names_, meaning_);
}

Dataset::Identity ImageFolder::identity(std::string_view name) const {
  Split& split = ready_split(name);
  const std::lock_guard lock(split.mutex);
  if (!split.identity) split.identity = identity_of(split.listing, split.folder, class_names_);
  return *split.identity;
}

std::vector<std::string> ImageFolder::notes(std::string_view name) const {
  const Split& split = ready_split(name);
  std::vector<std::string> notes = notes_of(split.listing, split.folder, class_names_);
  if (&split == &splits_.front()) notes.insert(notes.begin(), notes_.begin(), notes_.end());
  return notes;
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
         bytes.size == 0 ? "the file is empty" : fmt::format("these {} bytes are neither a JPEG, a PNG nor a WebP", bytes.size),
         path.string(), "replace the file or remove it, or set dataset.on_corrupt = skip");
  }
  example.encoding = *encoding;
  return example;
}

}  // namespace qfw::image_folder
