#include "example.h"

namespace qfw::tfds {

namespace {

/// The wire format of protocol buffers: (field number, wire type) and a value, again and again.
class Message {
 public:
  explicit Message(std::span<const std::byte> bytes) : left_(bytes) {}

  struct Field {
    std::uint64_t number = 0;
    int type = 0;  ///< 0: varint, 2: bytes
    std::uint64_t varint = 0;
    std::span<const std::byte> bytes;
  };

  std::optional<Field> next() {
    if (left_.empty()) return std::nullopt;
    const std::uint64_t key = varint();
    Field field{.number = key >> 3, .type = static_cast<int>(key & 7), .varint = 0, .bytes = {}};
    switch (field.type) {
      case 0:
        field.varint = varint();
        break;
      case 1:
        take(8);
        break;
      case 2:
        field.bytes = take(varint());
        break;
      case 5:
        take(4);
        break;
      default:
        throw std::string("a field of an unknown kind");
    }
    return field;
  }

  std::uint64_t varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<std::uint64_t>(take(1)[0]);
      value |= (byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) return value;
    }
    throw std::string("a number of more than ten bytes");
  }
  bool empty() const { return left_.empty(); }

 private:
  std::span<const std::byte> take(std::uint64_t count) {
    if (count > left_.size()) throw std::string("it ends early");
    const auto taken = left_.first(count);
    left_ = left_.subspan(count);
    return taken;
  }

  std::span<const std::byte> left_;
};

Feature first_value(std::span<const std::byte> bytes) {
  Feature feature;
  Message message(bytes);
  while (const auto list = message.next()) {
    if (list->type != 2) continue;
    Message values(list->bytes);
    const auto value = values.next();
    if (!value || value->number != 1) continue;
    if (list->number == 1 && value->type == 2) feature.bytes = value->bytes;
    if (list->number == 3 && value->type == 0) feature.integer = static_cast<std::int64_t>(value->varint);
    if (list->number == 3 && value->type == 2 && !value->bytes.empty()) {  // packed
      feature.integer = static_cast<std::int64_t>(Message(value->bytes).varint());
    }
  }
  return feature;
}

std::string varint(std::uint64_t value) {
  std::string text;
  for (; value >= 0x80; value >>= 7) text += static_cast<char>(value | 0x80);
  return text + static_cast<char>(value);
}

std::string field(int number, std::string_view bytes) {
  return varint(static_cast<std::uint64_t>(number) << 3 | 2) + varint(bytes.size()) + std::string(bytes);
}

}  // namespace

std::optional<Feature> find_feature(std::span<const std::byte> example, std::string_view name) {
  std::optional<Feature> result;
  Message message(example);
  while (const auto features = message.next()) {
    if (features->number != 1 || features->type != 2) continue;
    Message map(features->bytes);
    while (const auto entry = map.next()) {
      if (entry->number != 1 || entry->type != 2) continue;
      std::string_view key;
      std::span<const std::byte> value;
      Message pair(entry->bytes);
      while (const auto part = pair.next()) {
        if (part->type != 2) continue;
        if (part->number == 1) key = {reinterpret_cast<const char*>(part->bytes.data()), part->bytes.size()};
        if (part->number == 2) value = part->bytes;
      }
      if (key == name) result = first_value(value);
    }
  }
  return result;
}

void ExampleBuilder::add_feature(std::string_view name, const std::string& feature) {
  features_ += field(1, field(1, name) + field(2, feature));
}

void ExampleBuilder::add(std::string_view name, std::span<const std::byte> bytes) {
  add_feature(name, field(1, field(1, {reinterpret_cast<const char*>(bytes.data()), bytes.size()})));
}

void ExampleBuilder::add(std::string_view name, std::int64_t value) {
  add_feature(name, field(3, field(1, varint(static_cast<std::uint64_t>(value)))));
}

std::string ExampleBuilder::finish() const { return field(1, features_); }

}  // namespace qfw::tfds
