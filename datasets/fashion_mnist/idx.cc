#include "idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>

#include "gzip.h"
#include "qfw/error.h"

namespace qfw::fashion_mnist {
namespace {

constexpr std::uint32_t images_magic = 0x00000803, labels_magic = 0x00000801;

[[noreturn]] void wrong(const std::string& what, const GzipReader& file) {
  fail(Error::Category::data, "fashion_mnist", what, file.path().string(),
       "restore the file, or set dataset.data_dir to the folder of the four *-ubyte.gz files");
}

std::uint32_t word(GzipReader& file, const char* meaning) {
  std::array<std::byte, 4> bytes;
  const auto offset = file.offset();
  if (file.read(bytes) != bytes.size()) {
    wrong(
        fmt::format("the content ends at byte {}, within its header: {} is missing at byte {}", file.offset(), meaning, offset),
        file);
  }
  std::uint32_t value = 0;
  for (const auto byte : bytes) value = value << 8 | static_cast<std::uint32_t>(byte);
  return value;
}

void expect_word(GzipReader& file, const char* meaning, std::uint32_t expected, const char* format) {
  const auto offset = file.offset();
  const std::uint32_t found = word(file, meaning);
  if (found != expected) {
    wrong(fmt::format("{} at byte {} is {}, expected {}", meaning, offset, fmt::format(fmt::runtime(format), found),
                      fmt::format(fmt::runtime(format), expected)),
          file);
  }
}

/// Grows with what is really there, so that a foreign header cannot ask for all memory.
template <class Byte>
std::vector<Byte> records(GzipReader& file, std::uint64_t count, std::uint64_t size, const char* meaning) {
  constexpr std::uint64_t step = std::uint64_t{1} << 24;
  const std::uint64_t total = count * size;
  std::vector<Byte> bytes;
  while (bytes.size() < total) {
    const std::size_t before = bytes.size(), wanted = std::min<std::uint64_t>(step, total - before);
    bytes.resize(before + wanted);
    const std::size_t got = file.read(std::as_writable_bytes(std::span(bytes).subspan(before)));
    if (got < wanted) {
      wrong(
          fmt::format("the content ends at byte {}, within {} {} of {}", file.offset(), meaning, (before + got) / size, count),
          file);
    }
  }
  file.expect_end();
  return bytes;
}

}  // namespace

Images read_images(const std::filesystem::path& images, const std::filesystem::path& labels) {
  Images result;
  GzipReader image_file(images);
  expect_word(image_file, "the magic number", images_magic, "{:#010x}");
  result.count = word(image_file, "the number of images");
  expect_word(image_file, "the height", height, "{}");
  expect_word(image_file, "the width", width, "{}");
  if (result.count == 0) wrong("it holds no images", image_file);

  GzipReader label_file(labels);
  expect_word(label_file, "the magic number", labels_magic, "{:#010x}");
  const std::int64_t label_count = word(label_file, "the number of labels");
  if (label_count != result.count) {
    wrong(fmt::format("{} labels, but {} holds {} images", label_count, images.string(), result.count), label_file);
  }

  result.pixels = records<std::byte>(image_file, static_cast<std::uint64_t>(result.count), height * width, "image");
  result.labels = records<std::uint8_t>(label_file, static_cast<std::uint64_t>(result.count), 1, "label");
  const auto bad =
      std::find_if(result.labels.begin(), result.labels.end(), [](std::uint8_t label) { return label >= classes; });
  if (bad != result.labels.end()) {
    wrong(fmt::format("label {} is {}, expected 0 to {}", bad - result.labels.begin(), *bad, classes - 1), label_file);
  }
  return result;
}

}  // namespace qfw::fashion_mnist
