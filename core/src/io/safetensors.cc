#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "io/json.h"
#include "io/weights_reader.h"
#include "qfw/error.h"

namespace qfw {

namespace {

constexpr std::uint64_t longest_header = 100 << 20;

std::optional<Number> number_named(std::string_view name) {
  static const std::map<std::string_view, Number> known = {
      {"F16", Number::f16}, {"BF16", Number::bf16}, {"F32", Number::f32},     {"F64", Number::f64}, {"I8", Number::i8},
      {"U8", Number::u8},   {"I16", Number::i16},   {"U16", Number::u16},     {"I32", Number::i32}, {"U32", Number::u32},
      {"I64", Number::i64}, {"U64", Number::u64},   {"BOOL", Number::boolean}};
  const auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

/// The length of a header, the header in JSON, then the numbers of all tensors without gaps.
class Safetensors final : public DescribedReader {
 public:
  Safetensors(const RegularFile& file, const std::string& group) : DescribedReader(file.path().string()), file_(file) {
    read_header();
    check_places();
    select(group);
  }

 private:
  struct Range {
    std::uint64_t begin, end;
  };

  void read_header() {
    std::uint64_t length = 0;
    file_.read(0, std::as_writable_bytes(std::span(&length, 1)));
    if (length > longest_header || length > file_.size() - sizeof length) {
      damaged(fmt::format("the header should have {} bytes, the file has {}", length, file_.size()));
    }
    begin_ = sizeof length + length;
    std::string text(static_cast<std::size_t>(length), '\0');
    file_.read(sizeof length, std::as_writable_bytes(std::span(text)));
    std::string fault;
    const boost::json::value header = json_of(text, fault);
    if (!header.is_object()) damaged(fmt::format("of the header: {}", fault.empty() ? "it is no object" : fault));
    for (const auto& [name, tensor] : header.get_object()) {
      if (name != "__metadata__") read_entry(std::string(name), tensor);
    }
  }

  void read_entry(const std::string& name, const boost::json::value& tensor) {
    const auto field = [&](const char* key) -> const boost::json::value& {
      const boost::json::value* found = tensor.is_object() ? tensor.get_object().if_contains(key) : nullptr;
      if (found == nullptr) damaged(fmt::format("{} has no {}", name, key));
      return *found;
    };
    const auto integers = [&](const char* key) {
      std::vector<std::int64_t> all;
      const boost::json::value& list = field(key);
      if (!list.is_array()) damaged(fmt::format("{} of {} is no list", key, name));
      for (const boost::json::value& item : list.get_array()) {
        boost::json::error_code error;
        all.push_back(item.to_number<std::int64_t>(error));
        if (error || all.back() < 0) damaged(fmt::format("{} of {} is no list of whole numbers", key, name));
      }
      return all;
    };
    if (!field("dtype").is_string()) damaged(fmt::format("dtype of {} is no text", name));
    const std::string_view type = field("dtype").get_string();
    const auto number = number_named(type);
    const std::vector<std::int64_t> extents = integers("shape"), offsets = integers("data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<std::uint64_t>(offsets[1]) > file_.size() - begin_) {
      damaged(fmt::format("{} lies outside of the file", name));
    }
    describe(name, number, type, extents);
    const Range range{static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1])};
    const std::uint64_t count = *count_of(extents);
    if (number && (count > file_.size() || range.end - range.begin != count * size_of(*number))) {
      damaged(fmt::format("{} has {} bytes, which is not what {} numbers take", name, range.end - range.begin, count));
    }
    ranges_.emplace(name, range);
  }

  /// Each byte belongs to one tensor.
  void check_places() const {
    std::vector<Range> all;
    for (const auto& [name, range] : ranges_) all.push_back(range);
    std::ranges::sort(all, {}, [](const Range& range) { return std::pair(range.begin, range.end); });
    std::uint64_t at = 0;
    for (const Range& range : all) {
      if (range.begin != at) damaged(range.begin < at ? "tensors overlap" : "there are bytes between the tensors");
      at = range.end;
    }
    if (begin_ + at != file_.size())
      damaged(fmt::format("its tensors end at byte {}, the file has {}", begin_ + at, file_.size()));
  }

  std::vector<std::byte> bytes_of(const std::string& name) override {
    const Range& range = ranges_.at(name);
    std::vector<std::byte> bytes(static_cast<std::size_t>(range.end - range.begin));
    file_.read(begin_ + range.begin, bytes);
    return bytes;
  }

  const RegularFile& file_;
  std::uint64_t begin_ = 0;  ///< of the numbers
  std::map<std::string, Range> ranges_;
};

}  // namespace

std::unique_ptr<WeightsReader> open_safetensors(const RegularFile& file, const std::string& group) {
  return std::make_unique<Safetensors>(file, group);
}

}  // namespace qfw
