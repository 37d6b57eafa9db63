#include "folder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <numeric>
#include <sstream>

#include "files.h"
#include "qfw/error.h"

namespace qfw::tfds {

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

[[noreturn]] void unfit(const fs::path& file, const std::string& what) {
  fail(Error::Category::data, "tfds", what, file.string(),
       "point dataset.data_dir at a folder that TensorFlow Datasets has prepared");
}

json::object read_object(const fs::path& file) {
  boost::system::error_code error;
  const json::value value = json::parse(read_text(file), error);
  if (error || !value.is_object()) unfit(file, "this is not a JSON object");
  return value.get_object();
}

std::string text_at(const json::object& object, const char* key, const std::string& otherwise) {
  const json::value* value = object.if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : otherwise;
}

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
constexpr std::int64_t most_records = std::int64_t{1} << 32, most_classes = std::int64_t{1} << 24;

bool is_there(const fs::path& path) {
  std::error_code error;
  return fs::exists(path, error);
}

/// "5.1.0" -> {5, 1, 0}; empty for another name.
std::vector<int> version_of(const std::string& name) {
  std::vector<int> parts;
  std::istringstream stream(name);
  for (std::string part; std::getline(stream, part, '.');) {
    int number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (error != std::errc() || end != part.data() + part.size()) return {};
    parts.push_back(number);
  }
  return parts;
}

fs::path find_folder(const fs::path& root, const std::string& dataset, const std::string& version) {
  std::error_code error;
  if (!fs::is_directory(root, error)) unfit(root, "there is no such folder");
  if (is_there(root / "dataset_info.json")) return root;
  const fs::path family = root / dataset;
  if (!version.empty()) {
    if (!is_there(family / version / "dataset_info.json")) unfit(family / version, "there is no dataset_info.json");
    return family / version;
  }
  std::vector<std::pair<std::vector<int>, fs::path>> versions;
  for (const auto& entry : fs::directory_iterator(family, error)) {
    const auto number = version_of(entry.path().filename().string());
    if (!number.empty() && is_there(entry.path() / "dataset_info.json")) versions.emplace_back(number, entry.path());
  }
  if (versions.empty())
    unfit(root, fmt::format("there is neither a dataset_info.json nor {}/<version>/dataset_info.json", dataset));
  return std::ranges::max_element(versions)->second;
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

/// Names of the features, by their kinds; the usual names where features.json does not tell.
void read_features(FolderInfo& info, std::int64_t& classes) {
  const fs::path file = info.path / "features.json";
  info.image_key = "image", info.label_key = "label", info.name_key = "file_name";
  classes = -1;
  if (!is_there(file)) return;
  const json::value root = read_object(file);
  boost::system::error_code error;
  const json::value* features = root.find_pointer("/featuresDict/features", error);
  if (features == nullptr || !features->is_object()) unfit(file, "there is no featuresDict.features");
  std::vector<std::string> images, labels;
  info.name_key.clear();
  for (const auto& [key, feature] : features->get_object()) {
    const std::string kind = feature.is_object() ? text_at(feature.get_object(), "pythonClassName", "") : "";
    if (kind.ends_with(".Image")) images.emplace_back(key);
    if (kind.ends_with(".ClassLabel")) {
      labels.emplace_back(key);
      if (const json::value* count = feature.find_pointer("/classLabel/numClasses", error)) {
        classes = integer_of(*count, file, "the number of classes", most_classes);
      }
    }
    if (kind.ends_with(".Text") && (info.name_key.empty() || key == "file_name")) info.name_key = key;
  }
  if (images.size() != 1 || labels.size() != 1) {
    unfit(file, fmt::format("it is no image classification: image features {}, class labels {}", images, labels));
  }
  info.image_key = images[0], info.label_key = labels[0];
}

void read_classes(FolderInfo& info, std::int64_t classes) {
  const fs::path file = info.path / (info.label_key + ".labels.txt");
  if (is_there(file)) {
    std::istringstream lines(read_text(file));
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) info.class_names.push_back(line);
    }
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

FolderInfo read_folder(const fs::path& root, const std::string& dataset, const std::string& version) {
  FolderInfo info;
  info.path = find_folder(root, dataset, version);
  const fs::path file = info.path / "dataset_info.json";
  const json::object object = read_object(file);
  const std::string format = text_at(object, "fileFormat", "tfrecord");
  if (format != "tfrecord") unfit(file, "its records are stored as " + format + ", not tfrecord");
  const json::value* splits = object.if_contains("splits");
  if (splits == nullptr || !splits->is_array() || splits->get_array().empty()) unfit(file, "it names no splits");
  for (const json::value& split : splits->get_array()) {
    if (!split.is_object()) unfit(file, "a split is no object");
    info.splits.push_back(read_split(split.get_object(), file, text_at(object, "name", dataset), format));
  }
  std::int64_t classes = 0;
  read_features(info, classes);
  read_classes(info, classes);
  return info;
}

}  // namespace qfw::tfds
