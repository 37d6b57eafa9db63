#include "writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "files.h"
#include "qfw/atomic_file.h"
#include "qfw/image.h"
#include "qfw/random.h"

namespace qfw::image_folder {

namespace {

namespace fs = std::filesystem;

/// A name that is one component of a path and not hidden.
std::string component(std::string_view name) {
  std::string text(name);
  std::ranges::replace_if(
      text, [](unsigned char c) { return c == '/' || c == '\\' || c < ' '; }, '_');
  if (text.empty() || text.front() == '.') text.insert(0, "_");
  return text;
}

std::string text_of(const fs::path& path) {
  const Bytes bytes = read_bytes(path);
  return {reinterpret_cast<const char*>(bytes.memory.get()), bytes.size};
}

void make_folder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) fail(Error::Category::data, tag, fmt::format("cannot make the folder: {}", error.message()), path.string());
}

std::string split_folder(std::string_view split) { return split == "validation" ? "val" : std::string(split); }

}  // namespace

std::vector<std::string> folders_of(const std::vector<std::string>& class_names) {
  std::vector<std::string> folders;
  for (const std::string& name : class_names) folders.push_back(component(name));
  const bool ordered = std::ranges::is_sorted(folders) && std::ranges::adjacent_find(folders) == folders.end();
  if (ordered) return folders;
  const std::size_t digits = std::to_string(folders.size() - 1).size();
  for (std::size_t i = 0; i < folders.size(); ++i) {
    const std::string number = fmt::format("{:0{}}", i, digits);
    folders[i] = class_names[i] == std::to_string(i) ? number : number + "_" + folders[i];
  }
  return folders;
}

std::string ImageFolderWriter::description() const {
  std::string text = fmt::format("encoding {} {}, parts of {}\n", options_.encoding, options_.quality, options_.part_examples);
  for (const Split& split : target_.splits) text += fmt::format("{} {}\n", split.name, split.examples);
  for (const std::string& folder : class_folders_) text += folder + "\n";
  return text;
}

void ImageFolderWriter::begin(const Target& target) {
  target_ = target;
  class_folders_ = folders_of(target.class_names);
  written_.clear();
  for (const Split& split : target.splits) {
    if (split.name != component(split.name)) {
      fail(Error::Category::usage, tag, fmt::format("a split's name is '{}'", split.name), {}, "it must do as a folder's name");
    }
  }
  const fs::path target_note = notes() / "target";
  std::error_code error;
  finished_ = !fs::exists(target_note, error) && fs::exists(end_note(), error) && text_of(end_note()) == description();
  if (finished_) return;
  if (fs::exists(target_note, error)) {
    if (text_of(target_note) != description()) {
      fail(Error::Category::usage, tag, "an unfinished conversion of something else, or with other settings, is there",
           target_.folder.string(), "remove the folder, or choose another one");
    }
    for (const Split& split : target_.splits) {
      for (std::int64_t part = 0; part < parts(split.name); ++part) {
        if (!has(split.name, part)) continue;
        const std::string names = text_of(note(split.name, part));
        for (std::size_t at = 0, end; (end = names.find('\n', at)) != std::string::npos; at = end + 1) {
          written_.insert(hash_of(std::string_view(names).substr(at, end - at)));
        }
      }
    }
    make_class_folders();  // whoever began may not have come so far
    return;
  }
  for (const Split& split : target_.splits) {
    const fs::path folder = target_.folder / split_folder(split.name);
    if (fs::exists(folder, error)) {
      fail(Error::Category::usage, tag, "there is something already", folder.string(), "remove it, or choose another folder");
    }
  }
  make_folder(notes());
  write_text_atomically(target_note, description());
  make_class_folders();
}

void ImageFolderWriter::make_class_folders() const {
  for (const Split& split : target_.splits) {
    for (const std::string& name : class_folders_) {
      const fs::path folder = target_.folder / split_folder(split.name) / name;
      make_folder(folder);
      remove_stale_temporaries(folder);
    }
  }
}

const DatasetWriter::Split& ImageFolderWriter::find(std::string_view name) const {
  const auto found = std::ranges::find(target_.splits, name, &Split::name);
  if (found == target_.splits.end()) fail(Error::Category::internal, tag, fmt::format("no split {}", name));
  return *found;
}

std::int64_t ImageFolderWriter::parts(std::string_view split) const {
  return (find(split).examples + options_.part_examples - 1) / options_.part_examples;
}

std::pair<std::int64_t, std::int64_t> ImageFolderWriter::range(std::string_view split, std::int64_t part) const {
  const std::int64_t begin = part * options_.part_examples;
  return {begin, std::min(begin + options_.part_examples, find(split).examples)};
}

fs::path ImageFolderWriter::note(std::string_view split, std::int64_t part) const {
  return notes() / fmt::format("{}-{}", split, part);
}

bool ImageFolderWriter::has(std::string_view split, std::int64_t part) const {
  std::error_code error;
  return finished_ || fs::exists(note(split, part), error);
}

void ImageFolderWriter::write(std::string_view split, std::int64_t part, const Source& source) {
  const auto [begin, end] = range(split, part);
  std::string names;
  std::unordered_set<std::uint64_t> here;
  for (std::int64_t i = 0; i < end - begin; ++i) {
    const Example example = source(i);
    if (example.label < 0 || example.label >= static_cast<std::int64_t>(class_folders_.size())) {
      fail(Error::Category::data, tag, fmt::format("label {} of {} classes", example.label, class_folders_.size()),
           fmt::format("example {} of {}", begin + i, split));
    }
    const bool pixels = example.encoding == Example::Encoding::pixels;
    std::vector<std::byte> encoded;
    if (pixels) {
      encoded = image::encode(example, options_.encoding == "png" ? Example::Encoding::png : Example::Encoding::jpeg,
                              options_.quality);
    }
    const bool png = pixels ? options_.encoding == "png" : example.encoding == Example::Encoding::png;
    std::string name =
        example.name.empty() ? fmt::format("{:08}", begin + i) : component(example.name.substr(example.name.rfind('/') + 1));
    if (pixels && has_image_extension(name)) name.resize(name.rfind('.'));
    if (!has_image_extension(name)) name += png ? ".png" : ".jpg";
    const std::string path =
        fmt::format("{}/{}/{}", split_folder(split), class_folders_[static_cast<std::size_t>(example.label)], name);
    if (written_.contains(hash_of(path)) || !here.insert(hash_of(path)).second) {
      fail(Error::Category::data, tag, "two examples have this name", (target_.folder / path).string(),
           "names must differ within a class of a split");
    }
    write_bytes(target_.folder / path, pixels ? std::span<const std::byte>(encoded) : example.bytes);
    names += path + "\n";
  }
  sync_file_system(target_.folder);
  write_text_atomically(note(split, part), names);
  written_.merge(here);
}

void ImageFolderWriter::finish() {
  if (finished_) return;
  write_text_atomically(end_note(), description());
  sync_file_system(target_.folder);
  std::error_code error;
  fs::remove_all(notes(), error);
  if (error) fail(Error::Category::data, tag, fmt::format("cannot remove it: {}", error.message()), notes().string());
}

}  // namespace qfw::image_folder
