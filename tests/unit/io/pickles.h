#pragma once

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace qfw::test {

/// Writes pickles, of any instructions.
class PickleText {
 public:
  PickleText& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  PickleText& protocol(char version = 2) { return raw("\x80").raw({&version, 1}); }
  PickleText& text(std::string_view value) { return raw("X").number<std::uint32_t>(value.size()).raw(value); }
  PickleText& integer(std::int64_t value) {
    if (value >= 0 && value < 256) return raw("K").number<std::uint8_t>(value);
    return raw("\x8a\x08").number<std::int64_t>(value);
  }
  PickleText& global(std::string_view module, std::string_view name) {
    return raw("c").raw(module).raw("\n").raw(name).raw("\n");
  }
  PickleText& mark() { return raw("("); }
  PickleText& tuple() { return raw("t"); }
  PickleText& call() { return raw("R"); }
  PickleText& stop() { return raw("."); }

  /// A storage of `count` numbers.
  PickleText& storage(std::string_view type, std::string_view key, std::int64_t count) {
    return mark().text("storage").global("torch", type).text(key).text("cpu").integer(count).tuple().raw("Q");
  }
  /// What torch.save() makes of a tensor, on the stack.
  PickleText& tensor(std::string_view type, std::string_view key, std::int64_t count,
                     std::initializer_list<std::int64_t> extents, std::initializer_list<std::int64_t> strides,
                     std::int64_t offset = 0) {
    global("torch._utils", "_rebuild_tensor_v2").mark().storage(type, key, count).integer(offset);
    for (const auto& list : {extents, strides}) {
      mark();
      for (const std::int64_t value : list) integer(value);
      tuple();
    }
    return raw("\x89").global("collections", "OrderedDict").raw(")R").tuple().call();
  }

  const std::string& str() const { return text_; }
  std::span<const std::byte> bytes() const { return std::as_bytes(std::span(text_)); }

 private:
  template <class T, class From>
  PickleText& number(From from) {
    const T value = static_cast<T>(from);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    return raw({bytes, sizeof value});
  }

  std::string text_;
};

}  // namespace qfw::test
