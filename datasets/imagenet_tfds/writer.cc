#include "writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cctype>
#include <cstring>

#include "crc32c.h"
#include "example.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/image.h"

namespace qfw::tfds {

namespace {

namespace json = boost::json;

/// Of the length and the checksums around a record, which TFDS does not count.
constexpr std::uintmax_t frame_bytes = 16;

bool is_identifier(const std::string& text) {
  return !text.empty() && std::ranges::all_of(text, [](unsigned char c) { return std::isalnum(c) || c == '_'; });
}

std::string record_of(std::string_view data) {
  const std::uint64_t length = data.size();
  const std::uint32_t length_sum = masked_crc32c(std::as_bytes(std::span(&length, 1))),
                      sum = masked_crc32c(std::as_bytes(std::span(data)));
  std::string record(16 + data.size(), '\0');
  std::memcpy(record.data(), &length, 8);
  std::memcpy(record.data() + 8, &length_sum, 4);
  std::memcpy(record.data() + 12, data.data(), data.size());
  std::memcpy(record.data() + 12 + data.size(), &sum, 4);
  return record;
}

/// label.labels.txt holds one name a line.
void check_class_names(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (!names[i].empty() && names[i].find_first_of("\r\n") == std::string::npos) continue;
    fail(Error::Category::data, "tfds",
         fmt::format("the name of class {} {}, and this form has a line for each", i,
                     names[i].empty() ? "is empty" : "holds a line break"),
         {}, "rename the class in the data set that is converted, or convert to another form");
  }
}

json::object feature(const char* kind, const char* key, json::object body) {
  return {{"pythonClassName", fmt::format("tensorflow_datasets.core.features.{}", kind)}, {key, std::move(body)}};
}

}  // namespace

TfdsWriter::TfdsWriter(const Options& options) : options_(options) {
  if (!is_identifier(options.dataset)) {
    fail(Error::Category::usage, "tfds", fmt::format("the data set's name is '{}'", options.dataset), {},
         "use letters, digits and _");
  }
}

void TfdsWriter::begin(const Target& target) {
  target_ = target;
  check_class_names(target.class_names);
  for (const Split& split : target.splits) {
    if (!is_identifier(split.name)) fail(Error::Category::usage, "tfds", fmt::format("a split's name is '{}'", split.name));
  }
  std::filesystem::create_directories(target.folder);
  remove_stale_temporaries(target.folder);
}

const DatasetWriter::Split& TfdsWriter::find(std::string_view name) const {
  const auto found = std::ranges::find(target_.splits, name, &Split::name);
  if (found == target_.splits.end()) fail(Error::Category::internal, "tfds", fmt::format("no split {}", name));
  return *found;
}

std::int64_t TfdsWriter::parts(std::string_view split) const {
  return std::max<std::int64_t>(1, (find(split).examples + options_.shard_examples - 1) / options_.shard_examples);
}

/// Shards of sizes that differ by one at most.
std::pair<std::int64_t, std::int64_t> TfdsWriter::range(std::string_view split, std::int64_t part) const {
  const std::int64_t examples = find(split).examples, count = parts(split);
  return {examples * part / count, examples * (part + 1) / count};
}

std::filesystem::path TfdsWriter::shard(std::string_view split, std::int64_t part) const {
  return target_.folder / fmt::format("{}-{}.tfrecord-{:05}-of-{:05}", options_.dataset, split, part, parts(split));
}

bool TfdsWriter::has(std::string_view split, std::int64_t part) const { return std::filesystem::exists(shard(split, part)); }

void TfdsWriter::write(std::string_view split, std::int64_t part, const Source& source) {
  AtomicFile file(shard(split, part));
  const auto [begin, end] = range(split, part);
  for (std::int64_t i = 0; i < end - begin; ++i) {
    const Example example = source(i);
    std::vector<std::byte> encoded;
    std::span<const std::byte> bytes = example.bytes;
    std::string name(example.name);
    if (example.encoding == Example::Encoding::pixels) {
      encoded = image::encode(example, options_.encoding == "png" ? Example::Encoding::png : Example::Encoding::jpeg,
                              options_.quality);
      bytes = encoded;
    }
    if (name.empty()) name = fmt::format("{}_{:08}.{}", split, begin + i, options_.encoding);
    ExampleBuilder builder;
    builder.add("file_name", std::as_bytes(std::span(name)));
    builder.add("image", bytes);
    builder.add("label", example.label);
    file.write(record_of(builder.finish()));
  }
  file.commit();
}

void TfdsWriter::finish() {
  json::array splits;
  for (const Split& split : target_.splits) {
    json::array lengths;
    std::uintmax_t bytes = 0;
    for (std::int64_t part = 0; part < parts(split.name); ++part) {
      const auto [begin, end] = range(split.name, part);
      lengths.emplace_back(std::to_string(end - begin));
      bytes += std::filesystem::file_size(shard(split.name, part)) - frame_bytes * static_cast<std::uintmax_t>(end - begin);
    }
    splits.push_back({{"filepathTemplate", "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"},
                      {"name", split.name},
                      {"numBytes", std::to_string(bytes)},
                      {"shardLengths", std::move(lengths)}});
  }
  const json::object info{{"description", "Written by qfw data convert."},
                          {"fileFormat", "tfrecord"},
                          {"name", options_.dataset},
                          {"splits", std::move(splits)},
                          {"version", options_.version}};
  const json::object image{
      {"dtype", "uint8"}, {"encodingFormat", options_.encoding}, {"shape", {{"dimensions", {"-1", "-1", "3"}}}}};
  const json::object features{{"pythonClassName", "tensorflow_datasets.core.features.features_dict.FeaturesDict"},
                              {"featuresDict",
                               {{"features",
                                 {{"file_name", feature("text_feature.Text", "text", {})},
                                  {"image", feature("image_feature.Image", "image", image)},
                                  {"label", feature("class_label_feature.ClassLabel", "classLabel",
                                                    {{"numClasses", std::to_string(target_.class_names.size())}})}}}}}};
  std::string names;
  for (const std::string& name : target_.class_names) names += name + "\n";
  const std::pair<const char*, std::string> files[] = {
      {"label.labels.txt", names},
      {"features.json", json::serialize(features)},
      {"dataset_info.json", json::serialize(info)}};  // the last makes it a data set
  for (const auto& [name, text] : files) {
    write_text_atomically(target_.folder / name, text);
  }
}

}  // namespace qfw::tfds
