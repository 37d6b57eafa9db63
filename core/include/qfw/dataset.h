#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/tensor.h"

namespace qfw {

/// One example. Bytes and name stay valid as long as `owner` is held (or the data set lives, where it is empty), so a reader
/// may hand out memory-mapped data without copying.
struct Example {
  enum class Encoding : std::uint8_t { pixels, jpeg, png };
  Encoding encoding = Encoding::pixels;
  Shape shape;  ///< [H, W, C] of the pixels; of an encoded image, empty if unknown before decoding
  std::span<const std::byte> bytes;
  std::int64_t label = 0;
  std::string_view name{};  ///< of its file, where it has one: "n01440764_10026.JPEG"
  std::shared_ptr<const void> owner{};
};

/// Labelled images by number. Shuffling, decoding, augmentation, batching and prefetching are the core's.
class QFW_API Dataset {
 public:
  using Interface = Dataset;
  static constexpr const char* kind = "dataset";  ///< its word in recipes

  Dataset() = default;
  Dataset(const Dataset&) = delete;
  Dataset& operator=(const Dataset&) = delete;
  virtual ~Dataset();

  virtual std::int64_t classes() const = 0;
  virtual Shape shape() const = 0;  ///< [H, W, C] of every example; empty where they differ
  virtual std::vector<std::string> splits() const { return {"train", "validation"}; }
  virtual std::int64_t size(std::string_view split) const = 0;  ///< throws for a split it has not
  /// Thread-safe. Throws Error::Category::data naming file, record and offset.
  virtual Example get(std::string_view split, std::int64_t index) const = 0;

  virtual std::string class_name(std::int64_t label) const { return std::to_string(label); }
  /// Where an example lies, for messages: "train-00001-of-00003, record 12 at offset 48123". Thread-safe.
  virtual std::string place(std::string_view split, std::int64_t index) const;
};

}  // namespace qfw
