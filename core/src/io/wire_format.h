#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

namespace qfw {

/// The fields of a message of protocol buffers, one after the other, without a schema. `good()` is false once they break off.
class WireReader {
 public:
  enum class Kind : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
  struct Field {
    std::uint32_t number = 0;
    Kind kind{};
    std::uint64_t integer = 0;           ///< of varint
    std::span<const std::byte> bytes{};  ///< of all others
    std::string text() const { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }
  };

  explicit WireReader(std::span<const std::byte> message) : rest_(message) {}
  bool good() const { return good_; }
  std::optional<Field> next() {
    if (rest_.empty() || !good_) return std::nullopt;
    const std::uint64_t key = varint();
    Field field{.number = static_cast<std::uint32_t>(key >> 3), .kind = static_cast<Kind>(key & 7)};
    if (key >> 32 != 0 || field.number == 0) good_ = false;
    switch (field.kind) {
      case Kind::varint:
        field.integer = varint();
        break;
      case Kind::fixed64:
        field.bytes = take(8);
        break;
      case Kind::bytes:
        field.bytes = take(varint());
        break;
      case Kind::fixed32:
        field.bytes = take(4);
        break;
      default:
        good_ = false;
    }
    return good_ ? std::optional(field) : std::nullopt;
  }
  /// One of a packed list; not beyond its end.
  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto byte = take(1);
      if (byte.empty()) return 0;
      value |= (std::to_integer<std::uint64_t>(byte[0]) & 0x7f) << shift;
      if ((byte[0] & std::byte{0x80}) == std::byte{0}) return value;
    }
    good_ = false;
    return 0;
  }
  bool at_end() const { return rest_.empty(); }

 private:
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > rest_.size()) good_ = false;
    if (!good_) return {};
    const auto part = rest_.first(static_cast<std::size_t>(count));
    rest_ = rest_.subspan(part.size());
    return part;
  }

  std::span<const std::byte> rest_;
  bool good_ = true;
};

}  // namespace qfw
