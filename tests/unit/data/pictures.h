#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qfw/dataset.h"
#include "support.h"

namespace qfw::test {

/// Example i of n is a picture of 4 x (4 + i) pixels of the level i, named after its number.
class Pictures : public Dataset {
 public:
  explicit Pictures(std::int64_t size, int shift = 0) : size_(size), shift_(shift) {}
  std::int64_t classes() const override { return 3; }
  Shape shape() const override { return {}; }
  std::int64_t size(std::string_view) const override { return size_; }
  Example get(std::string_view split, std::int64_t index) const override {
    ++gets;
    if (index == bad) fail(Error::Category::data, "pictures", "damaged", place(split, index));
    struct Owned {
      std::vector<std::byte> bytes;
      std::string name;
    };
    const auto owned = std::make_shared<Owned>();
    owned->bytes.assign(static_cast<std::size_t>(12 * (4 + index)), static_cast<std::byte>(index + shift_));
    owned->name = std::to_string(index);
    return {.shape = {4, 4 + index, 3}, .bytes = owned->bytes, .label = index % 3, .name = owned->name, .owner = owned};
  }
  Identity identity(std::string_view split) const override {
    Identity known = Dataset::identity(split);
    known.storage = storage;
    return known;
  }
  std::optional<std::uint64_t> storage{};
  mutable std::atomic<int> gets = 0;
  std::int64_t bad = -1;

 private:
  std::int64_t size_;
  int shift_;
};

inline void expect_equal(const Example& a, const Example& b) {
  EXPECT_TRUE(std::ranges::equal(a.bytes, b.bytes));
  EXPECT_EQ(a.shape, b.shape);
  EXPECT_EQ(a.label, b.label);
}

}  // namespace qfw::test
