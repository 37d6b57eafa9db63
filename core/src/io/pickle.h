#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qfw {

/// What a pickle of Python describes, as data. A pickle is a program for a machine with a stack, and may call any function that
/// it names; here those instructions that build numbers, texts, lists and dictionaries are followed, names and calls become
/// nodes like any other, and a name beyond those that are allowed ends it. So nothing is ever imported, made or called.
class Pickle {
 public:
  using Index = std::uint32_t;
  struct Node {
    enum class Kind : std::uint8_t {
      none,
      boolean,  ///< integer: 0 or 1
      integer,
      huge,  ///< an integer of more than 64 bits; text: its bytes, the lowest first
      real,
      text,
      sequence,   ///< a list or tuple: items
      mapping,    ///< a dictionary: items are key, value, key, value, ...
      name,       ///< text: "collections.OrderedDict"
      call,       ///< of the function `text`; items: its arguments
      reference,  ///< to what lies outside; items: the one that identifies it
    };
    Kind kind = Kind::none;
    std::int64_t integer = 0;
    double real = 0;
    std::string text{};
    std::vector<Index> items{};
  };

  /// Reads the one that `bytes` begin with. Throws Error::Category::data, with the place within the file, for one that breaks
  /// the rules, uses an instruction beyond those, or a name that is not among `names`. Nodes may be part of several others, and
  /// of themselves: whoever walks counts.
  Pickle(std::span<const std::byte> bytes, std::span<const std::string_view> names, std::string_view place);

  const Node& operator[](Index i) const { return nodes_[i]; }
  const Node& root() const { return nodes_[root_]; }
  std::span<const Node> nodes() const { return nodes_; }
  std::size_t size() const { return size_; }  ///< bytes that it takes

 private:
  friend class Unpickler;
  std::vector<Node> nodes_;
  Index root_ = 0;
  std::size_t size_ = 0;
};

}  // namespace qfw
