#include "predict/picture_file.h"

#include <fmt/format.h>

#include <string>

#include "qfw/error.h"
#include "qfw/image.h"
#include "qfw/regular_file.h"

namespace qfw::predict {

namespace {
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 28;
}

Example picture_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() > most_bytes) fail(Error::Category::data, "predict", fmt::format("a picture of {} bytes", bytes.size()));
  const auto encoding = image::encoding_of(bytes);
  if (!encoding || *encoding == Example::Encoding::pixels) {
    fail(Error::Category::data, "predict",
         bytes.empty() ? std::string("the picture is empty") : std::string("the bytes are no picture"), {},
         "JPEG, PNG and WebP are read");
  }
  return {.encoding = *encoding, .shape = {}, .bytes = bytes};
}

Example picture_file(const std::filesystem::path& path) {
  const RegularFile file(path);
  if (file.size() > most_bytes) {
    fail(Error::Category::data, "predict", fmt::format("{} has {} bytes, too many for a picture", path.string(), file.size()));
  }
  const auto text = std::make_shared<const std::string>(file.text());
  try {
    Example example = picture_bytes(std::as_bytes(std::span(*text)));
    example.owner = text;
    return example;
  } catch (const Error& error) {
    throw Error(error.category(), std::string(error.what()) + " (" + path.string() + ")");
  }
}

}  // namespace qfw::predict
