#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/tensor.h"

namespace qfw {

/// One example. Bytes and name stay valid as long as `owner` is held (or the data set lives, where it is empty), so a reader
/// may hand out memory-mapped data without copying.
struct Example {
  enum class Encoding : std::uint8_t { pixels, jpeg, png, webp };
  Encoding encoding = Encoding::pixels;
  Shape shape;  ///< [H, W, C] of the pixels; of an encoded image, empty if unknown before decoding
  std::span<const std::byte> bytes;
  std::int64_t label = 0;  ///< -1: unlabelled, as the test splits of competitions are
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

  /// What lies behind a split, told without reading its examples. Runs that go on and caches compare it with what they began
  /// with.
  struct Identity {
    std::uint64_t content = 0;  ///< a digest of names, sizes, labels and classes: equal for a copy kept elsewhere
    /// One of the times at which the files changed, too: differs where one was written anew under its name. None: not known.
    std::optional<std::uint64_t> storage{};
  };
  /// Of everything the split's examples come from. The default knows sizes and classes only.
  virtual Identity identity(std::string_view split) const;

  /// What lies with a split and is not read, or may not be as it was meant: sentences for people, with numbers. Empty where
  /// nothing is odd.
  virtual std::vector<std::string> notes(std::string_view) const { return {}; }

  virtual std::string class_name(std::int64_t label) const { return std::to_string(label); }
  /// Where an example lies, for messages: "train-00001-of-00003, record 12 at offset 48123". Thread-safe.
  virtual std::string place(std::string_view split, std::int64_t index) const;
};

}  // namespace qfw
