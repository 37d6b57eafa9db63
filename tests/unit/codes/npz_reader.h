#pragma once

#include <zlib.h>

#include <boost/json.hpp>
#include <cstring>
#include <map>
#include <regex>
#include <stdexcept>
#include <string>
#include <vector>

#include "qfw/regular_file.h"

namespace qfw::testing {

/// What a .npz holds, by the text of the zip and .npy formats alone: through the directory at the end, each entry checked
/// against its checksum and its local header.
class Npz {
 public:
  struct Array {
    std::string descr;  ///< "<f4"
    std::vector<std::int64_t> shape;
    std::string bytes;

    template <class T>
    std::vector<T> as() const {
      std::vector<T> values(bytes.size() / sizeof(T));
      std::memcpy(values.data(), bytes.data(), bytes.size());
      return values;
    }
  };

  explicit Npz(const std::filesystem::path& file) : text_(read_text(file)) {
    require(text_.size() >= 22, "an end");
    const std::size_t end = text_.size() - 22;
    require(number(end, 4) == 0x06054b50, "the end's signature");
    const std::size_t count = number(end + 10, 2);
    std::size_t at = number(end + 16, 4);
    require(at + number(end + 12, 4) == end, "a directory that ends at the end");
    for (std::size_t i = 0; i < count; ++i) at = entry(at);
    require(at == end, "as many entries as it says");
  }

  std::map<std::string, Array> arrays;
  boost::json::value description;

 private:
  static void require(bool good, const std::string& what) {
    if (!good) throw std::runtime_error("no zip: it has not " + what);
  }
  std::size_t number(std::size_t at, int bytes) const {
    std::size_t value = 0;
    for (int i = bytes - 1; i >= 0; --i)
      value = value << 8 | static_cast<unsigned char>(text_.at(at + static_cast<std::size_t>(i)));
    return value;
  }

  std::size_t entry(std::size_t at) {
    require(number(at, 4) == 0x02014b50, "an entry's signature");
    require(number(at + 12, 2) == 0 && number(at + 14, 2) == 0x21, "the same time for all");
    const std::size_t size = number(at + 20, 4), length = number(at + 28, 2), local = number(at + 42, 4);
    require(number(at + 10, 2) == 0 && number(at + 24, 4) == size, "a stored entry");
    require(number(local, 4) == 0x04034b50, "a local header");
    require(text_.compare(local + 4, 26, text_, at + 6, 26) == 0, "a local header that says the same");
    const std::string name = text_.substr(at + 46, length);
    require(text_.substr(local + 30, length) == name, "the same name twice");
    const std::string body = text_.substr(local + 30 + length, size);
    require(crc32_z(0, reinterpret_cast<const Bytef*>(body.data()), body.size()) == number(at + 16, 4), "the checksum");
    if (name.ends_with(".npy")) {
      arrays[name.substr(0, name.size() - 4)] = npy(body);
    } else {
      require(name == "description.json", "known names");
      description = boost::json::parse(body);
    }
    return at + 46 + length;
  }

  static Array npy(const std::string& body) {
    require(body.compare(0, 8, std::string("\x93NUMPY\x01\0", 8)) == 0, "the signature of numpy");
    const std::size_t length = static_cast<unsigned char>(body[8]) | static_cast<unsigned char>(body[9]) << 8;
    require((10 + length) % 64 == 0 && body[9 + length] == '\n', "an aligned header");
    const std::string header = body.substr(10, length);
    static const std::regex form(R"(\{'descr': '([<|][fiu][124])', 'fortran_order': False, 'shape': \(([0-9, ]*)\), \} *\n)");
    std::smatch match;
    require(std::regex_match(header, match, form), "a header of numpy: " + header);
    Array array{match[1], {}, body.substr(10 + length)};
    std::size_t count = 1;
    const std::string shape = match[2];
    static const std::regex digits("[0-9]+");
    for (std::sregex_iterator each(shape.begin(), shape.end(), digits), last; each != last; ++each) {
      array.shape.push_back(std::stoll(each->str()));
      count *= static_cast<std::size_t>(array.shape.back());
    }
    require(array.shape.size() != 1 || shape.ends_with(","), "a tuple of one");
    require(count * static_cast<std::size_t>(array.descr[2] - '0') == array.bytes.size(), "as many bytes as its shape");
    return array;
  }

  std::string text_;
};

}  // namespace qfw::testing
