// How libFuzzer changes a file of weights: what zip archives say of their entries' checksums, and safetensors of the length of
// its header, is made right again, as else hardly any input would come further than that.
#include <zlib.h>

#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

namespace {

template <class T>
T number_at(std::span<const std::uint8_t> bytes, std::size_t at) {
  T value{};
  if (at + sizeof value <= bytes.size()) std::memcpy(&value, &bytes[at], sizeof value);
  return value;
}

template <class T>
void set_number(std::span<std::uint8_t> bytes, std::size_t at, T value) {
  if (at + sizeof value <= bytes.size()) std::memcpy(&bytes[at], &value, sizeof value);
}

/// By the entries of the directory at the end.
void correct_checksums(std::span<std::uint8_t> zip) {
  using namespace std::string_view_literals;
  const std::string_view text(reinterpret_cast<const char*>(zip.data()), zip.size());
  for (std::size_t at = 0; (at = text.find("PK\1\2"sv, at)) != std::string_view::npos; at += 4) {
    const std::size_t size = number_at<std::uint32_t>(zip, at + 20), local = number_at<std::uint32_t>(zip, at + 42);
    const std::size_t begin =
        local + 30 + number_at<std::uint16_t>(zip, local + 26) + number_at<std::uint16_t>(zip, local + 28);
    if (begin > zip.size() || size > zip.size() - begin) continue;
    const auto sum = static_cast<std::uint32_t>(crc32(0, zip.data() + begin, static_cast<uInt>(size)));
    set_number(zip, at + 16, sum);
    set_number(zip, local + 14, sum);
  }
}

void correct_length(std::span<std::uint8_t> safetensors) {
  const std::string_view text(reinterpret_cast<const char*>(safetensors.data()), safetensors.size());
  const std::size_t end = text.find("}}");
  if (end != std::string_view::npos) set_number<std::uint64_t>(safetensors, 0, end + 2 - 8);
}

}  // namespace

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  size = LLVMFuzzerMutate(data, size, most);
  const std::span bytes(data, size);
  if (seed % 8 == 0) return size;
  if (size > 4 && std::memcmp(data, "PK\3\4", 4) == 0) correct_checksums(bytes);
  if (size > 9 && data[8] == '{') correct_length(bytes);
  return size;
}
