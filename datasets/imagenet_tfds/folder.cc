#include "folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <numeric>
#include <sstream>

#include "files.h"
#include "json.h"

namespace qfw::tfds {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

/// TFDS writes 64-bit integers as strings. More than `most` is taken for damage: such a file must not ask for all memory.
std::int64_t integer_of(const json::value& value, const fs::path& file, const char* meaning, std::int64_t most) {
  std::int64_t number = -1;
  if (value.is_int64()) number = value.get_int64();
  if (value.is_string()) {
    const char *begin = value.get_string().data(), *end = begin + value.get_string().size();
    const auto [stop, error] = std::from_chars(begin, end, number);
    if (error != std::errc() || stop != end) number = -1;
  }
  if (number < 0 || number > most) unfit(file, fmt::format("{} is {}", meaning, json::serialize(value)));
  return number;
}
constexpr std::int64_t most_records = std::int64_t{1} << 32, most_classes = std::int64_t{1} << 20;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

void replace(std::string& text, const std::string& word, const std::string& by) {
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + by.size()))
    text.replace(at, word.size(), by);
}

SplitInfo read_split(const json::object& split, const fs::path& file, const std::string& dataset, const std::string& format) {
  SplitInfo info;
  info.name = text_at(split, "name", "");
  const json::value* lengths = split.if_contains("shardLengths");
  if (info.name.empty() || lengths == nullptr || !lengths->is_array()) unfit(file, "a split has no name or no shardLengths");
  for (const json::value& length : lengths->get_array())
    info.shard_lengths.push_back(integer_of(length, file, "a shard length", most_records));
  const std::string pattern = text_at(split, "filepathTemplate", "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}");
  for (std::size_t i = 0; i < info.shard_lengths.size(); ++i) {
    std::string name = pattern;
    replace(name, "{DATASET}", dataset);
    replace(name, "{SPLIT}", info.name);
    replace(name, "{FILEFORMAT}", format);
    replace(name, "{SHARD_X_OF_Y}", fmt::format("{:05}-of-{:05}", i, info.shard_lengths.size()));
    replace(name, "{SHARD_INDEX}", fmt::format("{:05}", i));
    replace(name, "{NUM_SHARDS}", fmt::format("{:05}", info.shard_lengths.size()));
    info.shards.push_back(file.parent_path() / name);
  }
  return info;
}

/// The feature that `asked` names; else the only one, or of several the one of the usual name.
std::string choose_feature(const fs::path& file, const char* what, const std::string& key, const std::string& asked,
                           const std::vector<std::string>& found, const std::string& all) {
  const auto has = [&](const std::string& name) { return std::ranges::find(found, name) != found.end(); };
  if (found.empty()) unfit(file, fmt::format("it is no image classification: there is no {}; its features are {}", what, all));
  if (!asked.empty() && !has(asked))
    unfit(file, fmt::format("there is no {} '{}'", what, asked),
          fmt::format("choose with dataset.{} among: {}", key, fmt::join(found, ", ")));
  if (!asked.empty()) return asked;
  if (found.size() == 1) return found[0];
  if (has(key)) return key;
  unfit(file, fmt::format("there is more than one {}: {}", what, fmt::join(found, ", ")),
        fmt::format("choose with dataset.{}", key));
}

/// Names of the features, by their kinds; the usual names where features.json does not tell. Returns the number of classes, -1
/// if that is not told.
std::int64_t read_features(FolderInfo& info, const Wanted& wanted) {
  const fs::path file = info.path / "features.json";
  info.image_key = wanted.image.empty() ? "image" : wanted.image;
  info.label_key = wanted.label.empty() ? "label" : wanted.label;
  info.name_key = "file_name";
  if (!is_there(file)) return -1;
  const json::value root = read_object(file);
  boost::system::error_code error;
  const json::value* features = root.find_pointer("/featuresDict/features", error);
  if (features == nullptr || !features->is_object()) unfit(file, "there is no featuresDict.features");
  std::vector<std::string> images, labels, all;
  info.name_key.clear();
  for (const auto& [key, feature] : features->get_object()) {
    const std::string kind = feature.is_object() ? text_at(feature.get_object(), "pythonClassName", "") : "";
    if (kind.ends_with(".Image")) images.emplace_back(key);
    if (kind.ends_with(".ClassLabel")) labels.emplace_back(key);
    if (kind.ends_with(".Text") && (info.name_key.empty() || key == "file_name")) info.name_key = key;
    all.push_back(fmt::format("{} ({})", std::string_view(key), kind.substr(kind.rfind('.') + 1)));
  }
  const std::string list = fmt::format("{}", fmt::join(all, ", "));
  info.image_key = choose_feature(file, "image", "image", wanted.image, images, list);
  info.label_key = choose_feature(file, "class label", "label", wanted.label, labels, list);
  const json::value* label = features->get_object().if_contains(info.label_key);
  const json::value* count = label->find_pointer("/classLabel/numClasses", error);
  return count == nullptr ? -1 : integer_of(*count, file, "the number of classes", most_classes);
}

void read_classes(FolderInfo& info, std::int64_t classes) {
  const fs::path file = info.path / (info.label_key + ".labels.txt");
  if (is_there(file)) {
    std::string text = read_short_text(file);
    if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);  // a byte order mark
    std::istringstream lines(std::move(text));
    for (std::string line; std::getline(lines, line);) {
      if (line.ends_with('\r')) line.pop_back();
      if (!line.empty()) info.class_names.push_back(line);
    }
    if (static_cast<std::int64_t>(info.class_names.size()) > most_classes)
      unfit(file, fmt::format("it names {} classes, at most {} are taken", info.class_names.size(), most_classes));
    if (classes >= 0 && classes != static_cast<std::int64_t>(info.class_names.size())) {
      unfit(file, fmt::format("it names {} classes, features.json says {}", info.class_names.size(), classes));
    }
  } else if (classes >= 0) {
    for (std::int64_t i = 0; i < classes; ++i) info.class_names.push_back(std::to_string(i));
  } else {
    unfit(file, "neither this file nor features.json tells how many classes there are");
  }
}

}  // namespace

std::int64_t SplitInfo::examples() const {
  return std::accumulate(shard_lengths.begin(), shard_lengths.end(), std::int64_t{0});
}

FolderInfo read_folder(const Wanted& wanted) {
  FolderInfo info;
  static_cast<Located&>(info) = locate(wanted);
  const fs::path file = info.path / "dataset_info.json";
  const json::object object = read_object(file);
  const std::string format = text_at(object, "fileFormat", "tfrecord");
  if (format != "tfrecord") unfit(file, "its records are stored as " + format + ", not tfrecord");
  const json::value* splits = object.if_contains("splits");
  if (splits == nullptr || !splits->is_array() || splits->get_array().empty()) unfit(file, "it names no splits");
  for (const json::value& split : splits->get_array()) {
    if (!split.is_object()) unfit(file, "a split is no object");
    info.splits.push_back(read_split(split.get_object(), file, text_at(object, "name", wanted.dataset), format));
  }
  read_classes(info, read_features(info, wanted));
  return info;
}

}  // namespace qfw::tfds
