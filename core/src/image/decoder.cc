#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "image/jpeg.h"
#include "qfw/error.h"
#include "qfw/image.h"

namespace qfw::image {

namespace {

bool begins_with(std::span<const std::byte> bytes, std::initializer_list<int> first) {
  if (bytes.size() < first.size()) return false;
  std::size_t i = 0;
  for (const int byte : first) {
    if (bytes[i++] != static_cast<std::byte>(byte)) return false;
  }
  return true;
}

Example::Encoding encoding_in(const Example& example) {
  if (example.encoding == Example::Encoding::pixels) return example.encoding;
  if (const auto found = encoding_of(example.bytes)) return *found;
  if (example.bytes.empty()) fail(Error::Category::data, "image", "the picture has no bytes");
  fail(Error::Category::data, "image",
       fmt::format("these {} bytes are neither a JPEG, a PNG nor a WebP", example.bytes.size()));
}

Size size_of_pixels(const Example& example) {
  const Shape& shape = example.shape;
  if (shape.rank() != 3 || (shape[2] != 1 && shape[2] != 3)) {
    fail(Error::Category::data, "image", fmt::format("pixels of shape {}; expected are [height, width, 1 or 3]", shape.str()));
  }
  check_size(shape[0], shape[1]);
  if (static_cast<std::int64_t>(example.bytes.size()) != shape.count()) {
    fail(Error::Category::data, "image", fmt::format("{} bytes for pixels of shape {}", example.bytes.size(), shape.str()));
  }
  return {static_cast<int>(shape[0]), static_cast<int>(shape[1])};
}

/// Cuts a window out of pixels of one or three channels, to three.
void cut(const std::uint8_t* from, std::size_t channels, int row_pixels, const Window& window, std::uint8_t* to) {
  const auto width = static_cast<std::size_t>(window.width);
  for (int y = 0; y < window.height; ++y, to += 3 * width) {
    const std::uint8_t* row = from + (static_cast<std::size_t>(window.y + y) * static_cast<std::size_t>(row_pixels) +
                                      static_cast<std::size_t>(window.x)) *
                                         channels;
    if (channels == 3) {
      std::memcpy(to, row, 3 * width);
    } else {
      for (std::size_t x = 0; x < width; ++x) to[3 * x] = to[3 * x + 1] = to[3 * x + 2] = row[x];
    }
  }
}

}  // namespace

std::optional<Example::Encoding> encoding_of(std::span<const std::byte> bytes) {
  if (begins_with(bytes, {0xff, 0xd8, 0xff})) return Example::Encoding::jpeg;
  if (begins_with(bytes, {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'})) return Example::Encoding::png;
  if (begins_with(bytes, {'R', 'I', 'F', 'F'}) &&
      begins_with(bytes.subspan(std::min<std::size_t>(8, bytes.size())), {'W', 'E', 'B', 'P'}))
    return Example::Encoding::webp;
  return std::nullopt;
}

const char* name_of(Example::Encoding encoding) {
  switch (encoding) {
    case Example::Encoding::pixels:
      return "pixels";
    case Example::Encoding::jpeg:
      return "jpeg";
    case Example::Encoding::png:
      return "png";
    case Example::Encoding::webp:
      return "webp";
  }
  return "unknown";
}

std::vector<std::byte> encode(const Example& example, Example::Encoding encoding, int quality) {
  if (encoding != Example::Encoding::jpeg && encoding != Example::Encoding::png)
    fail(Error::Category::usage, "image", fmt::format("pictures are not stored as {}", name_of(encoding)), {},
         "choose jpeg or png");
  const Size size = size_of_pixels(example);
  const Pixels pixels{size.height,
                      size.width,
                      static_cast<int>(example.shape[2]),
                      {reinterpret_cast<const std::uint8_t*>(example.bytes.data()), example.bytes.size()}};
  return encoding == Example::Encoding::png ? encode_png(pixels) : encode_jpeg(pixels, quality);
}

struct Decoder::Impl {
  std::vector<std::uint8_t> pixels, whole;

  Pixels decode(const Example& example, const std::optional<Window>& window);
  /// For formats that are decoded as a whole only.
  Pixels whole_or_cut(Size (*decode)(std::span<const std::byte>, std::vector<std::uint8_t>&), std::span<const std::byte> bytes,
                      const std::optional<Window>& window);
  Pixels cut_out(const std::uint8_t* from, std::size_t channels, Size size, const Window& window);
  Pixels result(Size size) const { return {size.height, size.width, 3, pixels}; }
};

Pixels Decoder::Impl::cut_out(const std::uint8_t* from, std::size_t channels, Size size, const Window& window) {
  check_window(window, size);
  pixels.resize(std::size_t{3} * static_cast<std::size_t>(window.height) * static_cast<std::size_t>(window.width));
  cut(from, channels, size.width, window, pixels.data());
  return result({window.height, window.width});
}

Pixels Decoder::Impl::whole_or_cut(Size (*decode)(std::span<const std::byte>, std::vector<std::uint8_t>&),
                                   std::span<const std::byte> bytes, const std::optional<Window>& window) {
  if (!window) return result(decode(bytes, pixels));
  const Size size = decode(bytes, whole);
  return cut_out(whole.data(), 3, size, *window);
}

Pixels Decoder::Impl::decode(const Example& example, const std::optional<Window>& window) {
  switch (encoding_in(example)) {
    case Example::Encoding::jpeg:
      return result(decode_jpeg(example.bytes, window, pixels));
    case Example::Encoding::png:
      return whole_or_cut(decode_png, example.bytes, window);
    case Example::Encoding::webp:
      return whole_or_cut(decode_webp, example.bytes, window);
    case Example::Encoding::pixels: {
      const Size size = size_of_pixels(example);
      return cut_out(reinterpret_cast<const std::uint8_t*>(example.bytes.data()), static_cast<std::size_t>(example.shape[2]),
                     size, window.value_or(Window{0, 0, size.height, size.width}));
    }
  }
  fail(Error::Category::internal, "image", "an unknown encoding");
}

Decoder::Decoder() : impl_(std::make_unique<Impl>()) {}
Decoder::~Decoder() = default;

Size Decoder::size(const Example& example) {
  switch (encoding_in(example)) {
    case Example::Encoding::jpeg:
      return jpeg_size(example.bytes);
    case Example::Encoding::png:
      return png_size(example.bytes);
    case Example::Encoding::webp:
      return webp_size(example.bytes);
    case Example::Encoding::pixels:
      return size_of_pixels(example);
  }
  fail(Error::Category::internal, "image", "an unknown encoding");
}

Pixels Decoder::decode(const Example& example, const Window& window) { return impl_->decode(example, window); }
Pixels Decoder::decode(const Example& example) { return impl_->decode(example, std::nullopt); }

}  // namespace qfw::image
