#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

/// tf.train.Example on the wire: a map from names to lists of bytes, floats or integers.
namespace qfw::tfds {

/// The first value of a feature.
struct Feature {
  std::optional<std::span<const std::byte>> bytes;
  std::optional<std::int64_t> integer;
};

/// Finds a feature in the bytes of an Example, without copying; nothing if there is none. Throws std::string saying what is
/// wrong with bytes that are no Example.
std::optional<Feature> find_feature(std::span<const std::byte> example, std::string_view name);

/// Adds up an Example.
class ExampleBuilder {
 public:
  void add(std::string_view name, std::span<const std::byte> bytes);
  void add(std::string_view name, std::int64_t value);
  std::string finish() const;

 private:
  void add_feature(std::string_view name, const std::string& feature);
  std::string features_;
};

}  // namespace qfw::tfds
