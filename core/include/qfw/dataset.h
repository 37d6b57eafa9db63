#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "qfw/tensor.h"

namespace qfw {

/// One example. Bytes stay valid as long as `owner` is held (or the data set lives, where it is empty), so a reader may hand
/// out memory-mapped data without copying.
struct Example {
  enum class Encoding : std::uint8_t { pixels, jpeg, png };
  Encoding encoding = Encoding::pixels;
  Shape shape;  ///< [H, W, C] of the pixels; of an encoded image, empty if unknown before decoding
  std::span<const std::byte> bytes;
  std::int64_t label = 0;
  std::shared_ptr<const void> owner;
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
  virtual std::int64_t size(std::string_view split) const = 0;  ///< "train", "validation"; throws for one it has not
  /// Thread-safe. Throws Error::Category::data naming file and record.
  virtual Example get(std::string_view split, std::int64_t index) const = 0;
};

}  // namespace qfw
