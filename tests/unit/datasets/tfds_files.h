#pragma once

#include <boost/json.hpp>
#include <cstring>

#include "crc32c.h"
#include "example.h"
#include "support.h"

namespace qfw::test {

/// As the format is defined, not as the writer does it: length, its checksum, data, their checksum.
inline std::string framed(const std::string& data) {
  const auto raw = [](auto value) { return std::string(reinterpret_cast<const char*>(&value), sizeof value); };
  const std::string length = raw(static_cast<std::uint64_t>(data.size()));
  const auto sum = [&](const std::string& text) { return raw(tfds::masked_crc32c(std::as_bytes(std::span(text)))); };
  return length + sum(length) + data + sum(data);
}

inline std::string record(const Item& item) {
  tfds::ExampleBuilder builder;
  builder.add("file_name", std::as_bytes(std::span(item.name)));
  builder.add("image", item.bytes);
  builder.add("label", item.label);
  return builder.finish();
}

/// A folder with splits train (shards of 3 and 2) and test (1), which tests then spoil.
class TfdsFolder : public testing::Test {
 protected:
  TfdsFolder() {
    for (int i = 0; i < 6; ++i) items_.push_back(encoded_item(i, i % 3, "n0" + std::to_string(i) + ".JPEG"));
    store(shard("train", 0, 2), framed(record(items_[0])) + framed(record(items_[1])) + framed(record(items_[2])));
    store(shard("train", 1, 2), framed(record(items_[3])) + framed(record(items_[4])));
    store(shard("test", 0, 1), framed(record(items_[5])));
    store(folder() / "label.labels.txt", std::string("ant\nbee\ncat\n"));
    info({{"name", "zoo"},
          {"version", "1.2.0"},
          {"fileFormat", "tfrecord"},
          {"splits", {{{"name", "train"}, {"shardLengths", {"3", "2"}}}, {{"name", "test"}, {"shardLengths", {"1"}}}}}});
  }

  void info(const boost::json::value& value) { store(folder() / "dataset_info.json", boost::json::serialize(value)); }
  fs::path folder() const { return root_.path() / "zoo" / "1.2.0"; }
  fs::path index_folder() const { return root_.path() / "index"; }
  fs::path shard(const std::string& split, int number, int count) const {
    return folder() / ("zoo-" + split + ".tfrecord-0000" + std::to_string(number) + "-of-0000" + std::to_string(count));
  }
  std::unique_ptr<Dataset> open(const std::string& data_dir, Settings more = {}) const {
    Settings settings{{"data_dir", data_dir}, {"index_dir", index_folder().string()}};
    settings.insert(settings.end(), more.begin(), more.end());
    return make_plugin<Dataset>("dataset_imagenet_tfds", "imagenet_tfds", settings);
  }
  std::unique_ptr<Dataset> open(Settings more = {}) const { return open(folder().string(), std::move(more)); }
  template <class Action>
  static std::string error(Action action) {
    return message_of(Error::Category::data, action);
  }
  std::string error_of(std::int64_t index) const {
    return error([&] { open()->get("train", index); });
  }

  TemporaryFolder root_;
  std::vector<Item> items_;
};

}  // namespace qfw::test
