#pragma once

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "data_tools/convert.h"
#include "qfw/dataset.h"
#include "qfw/dataset_writer.h"
#include "qfw/image.h"
#include "support/files.h"
#include "support/plugin.h"

namespace qfw::test {

namespace fs = std::filesystem;

/// A picture of its own for each number.
inline std::vector<std::uint8_t> pixels(int number, int height = 8, int width = 12, int channels = 3) {
  std::vector<std::uint8_t> levels(static_cast<std::size_t>(height * width * channels));
  for (std::size_t i = 0; i < levels.size(); ++i)
    levels[i] = static_cast<std::uint8_t>(i * 5 + static_cast<std::size_t>(number) * 37);
  return levels;
}

struct Item {
  Example::Encoding encoding = Example::Encoding::pixels;
  Shape shape{};
  std::vector<std::byte> bytes{};
  std::int64_t label = 0;
  std::string name{};
  bool operator==(const Item&) const = default;
  bool operator<(const Item& other) const { return std::tie(label, name) < std::tie(other.label, other.name); }
};

inline Item pixel_item(int number, std::int64_t label, std::string name = {}, int height = 8, int width = 12,
                       int channels = 3) {
  const auto levels = pixels(number, height, width, channels);
  const auto bytes = std::as_bytes(std::span(levels));
  return {Example::Encoding::pixels, {height, width, channels}, {bytes.begin(), bytes.end()}, label, std::move(name)};
}

inline Item encoded_item(int number, std::int64_t label, std::string name,
                         Example::Encoding encoding = Example::Encoding::jpeg) {
  const auto levels = pixels(number);
  const image::Pixels picture{8, 12, 3, levels};
  return {encoding,
          {},
          encoding == Example::Encoding::png ? image::encode_png(picture) : image::encode_jpeg(picture, 90),
          label,
          std::move(name)};
}

/// A data set in memory, which counts what is asked of it and can be told to fail.
class MemoryDataset final : public Dataset {
 public:
  std::map<std::string, std::vector<Item>, std::less<>> items;
  std::vector<std::string> class_names{"ant", "bee", "cat"};
  mutable std::atomic<int> reads{0};
  std::int64_t fails_at = -1;

  std::int64_t classes() const override { return static_cast<std::int64_t>(class_names.size()); }
  Shape shape() const override { return {}; }
  std::int64_t size(std::string_view split) const override {
    return static_cast<std::int64_t>(items.find(split)->second.size());
  }
  Example get(std::string_view split, std::int64_t index) const override {
    ++reads;
    if (index == fails_at) fail(Error::Category::data, "memory", "told to fail");
    const Item& item = items.find(split)->second.at(static_cast<std::size_t>(index));
    return {.encoding = item.encoding, .shape = item.shape, .bytes = item.bytes, .label = item.label, .name = item.name};
  }
  std::string class_name(std::int64_t label) const override { return class_names.at(static_cast<std::size_t>(label)); }
};

inline Item item_of(const Example& example) {
  return {
      example.encoding, example.shape, {example.bytes.begin(), example.bytes.end()}, example.label, std::string(example.name)};
}

inline std::vector<Item> all_of(const Dataset& dataset, const std::string& split) {
  std::vector<Item> items;
  for (std::int64_t i = 0; i < dataset.size(split); ++i) items.push_back(item_of(dataset.get(split, i)));
  return items;
}

inline std::string contents(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

inline void store(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << bytes;
}

inline void store(const fs::path& path, const std::vector<std::byte>& bytes) {
  store(path, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
}

}  // namespace qfw::test
