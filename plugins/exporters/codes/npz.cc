#include "npz.h"

#include <fmt/format.h>
#include <zlib.h>

#include <array>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw::codes {

namespace {

/// The first of January 1980, the zero of zip's clock.
constexpr std::uint16_t no_date = 0x21;
constexpr std::uint32_t most = std::numeric_limits<std::uint32_t>::max() - 1;

void put(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) to += static_cast<char>(value >> 8 * i & 0xffu);
}

/// What numpy calls a type.
const char* descr_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return "<f4";
    case DType::f16:
      return "<f2";
    case DType::bf16:
      return "<u2";
    case DType::s32:
      return "<i4";
    case DType::s8:
      return "|i1";
    case DType::u8:
      return "|u1";
  }
  return "";
}

/// Version 1.0 of numpy's format: what precedes the elements, a multiple of 64 bytes long.
std::string npy_header(const TensorType& type) {
  std::string shape;
  for (const std::int64_t extent : type.shape) shape += fmt::format("{}, ", extent);
  if (type.shape.rank() > 1) shape.resize(shape.size() - 2);  // only a tuple of one ends with a comma
  if (type.shape.rank() == 1) shape.resize(shape.size() - 1);
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}", descr_of(type.dtype), shape);
  constexpr std::size_t alignment = 64, before = 10;
  text.append(alignment - 1 - (before + text.size()) % alignment, ' ').append("\n");
  std::string header = "\x93NUMPY";
  put(header, 1, 2);
  put(header, text.size(), 2);
  return header + text;
}

/// APPNOTE.TXT of PKWARE, version 6.3.3, without extensions.
class Zip {
 public:
  explicit Zip(const std::filesystem::path& file) : file_(file) {}

  void add(const std::string& name, std::string_view head, std::span<const std::byte> body) {
    const auto crc_of = [](uLong crc, const void* bytes, std::size_t size) {
      return size == 0 ? crc : crc32_z(crc, static_cast<const Bytef*>(bytes), size);  // of a null pointer it would be 0
    };
    const std::uint64_t size = head.size() + body.size();
    const std::uint64_t crc = crc_of(crc_of(crc32_z(0, nullptr, 0), head.data(), head.size()), body.data(), body.size());
    if (size > most - position_ || name.size() > 0xffff || entries_ >= 0xfffe) {
      fail(Error::Category::data, "codes", "the archive would be larger than 4 GiB", file_.target().string(),
           "choose a name that ends in .h5");
    }
    std::string about;       // what both headers say
    put(about, 20, 2);       // version needed: 2.0
    put(about, 1 << 11, 2);  // names are UTF-8
    put(about, 0, 2);        // stored
    put(about, 0, 2);
    put(about, no_date, 2);
    put(about, crc, 4);
    put(about, size, 4);
    put(about, size, 4);
    put(about, name.size(), 2);
    put(about, 0, 2);  // no extra field
    put(directory_, 0x02014b50, 4);
    put(directory_, 3 << 8 | 20, 2);  // made by: Unix, 2.0
    directory_ += about;
    put(directory_, 0, 2);  // no comment
    put(directory_, 0, 2);  // on the first disk
    put(directory_, 0, 2);
    put(directory_, std::uint64_t{0100644} << 16, 4);  // a plain file, rw-r--r--
    put(directory_, position_, 4);
    directory_ += name;
    std::string local;
    put(local, 0x04034b50, 4);
    write(local + about + name);
    write(head);
    file_.write(body);
    position_ += body.size();
    ++entries_;
  }

  void finish() {
    std::string end;
    put(end, 0x06054b50, 4);
    put(end, 0, 4);
    put(end, entries_, 2);
    put(end, entries_, 2);
    put(end, directory_.size(), 4);
    put(end, position_, 4);
    put(end, 0, 2);
    write(directory_ + end);
    file_.commit();
  }

 private:
  void write(std::string_view text) {
    file_.write(text);
    position_ += text.size();
  }

  AtomicFile file_;
  std::string directory_;
  std::uint64_t position_ = 0, entries_ = 0;
};

/// A number that put() wrote.
std::uint64_t number_at(std::span<const std::byte> bytes, std::size_t at, int count) {
  std::uint64_t value = 0;
  for (int i = count - 1; i >= 0; --i)
    value = value << 8 | std::to_integer<std::uint64_t>(bytes[at + static_cast<std::size_t>(i)]);
  return value;
}

}  // namespace

std::string description_in_npz(const RegularFile& file) {
  constexpr std::string_view name = description_name;
  std::array<std::byte, 30 + name.size()> header{};  // the first entry's
  if (file.size() < header.size()) return {};
  file.read(0, header);
  const std::uint64_t size = number_at(header, 22, 4);
  const std::string_view named(reinterpret_cast<const char*>(header.data()) + 30, name.size());
  const bool stored = number_at(header, 0, 4) == 0x04034b50 && number_at(header, 8, 2) == 0 &&
                      number_at(header, 26, 2) == name.size() && number_at(header, 28, 2) == 0;
  if (!stored || named != name || size > file.size() - header.size()) return {};
  std::string text(size, '\0');
  file.read(header.size(), std::as_writable_bytes(std::span(text)));
  return text;
}

void write_npz(const Contents& contents, const std::filesystem::path& file) {
  Zip zip(file);
  zip.add(description_name, contents.description, {});
  for (const Array& array : contents.arrays) zip.add(array.name + ".npy", npy_header(array.type), array.bytes);
  zip.finish();
}

}  // namespace qfw::codes
