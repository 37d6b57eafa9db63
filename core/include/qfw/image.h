#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "qfw/dataset.h"

/// Pictures as bytes, for augments and data sets.
namespace qfw::image {

struct Size {
  int height = 0, width = 0;
  bool operator==(const Size&) const = default;
};
struct Window {
  int y = 0, x = 0, height = 0, width = 0;
  bool operator==(const Window&) const = default;
};

/// Pixels [height, width, channels], row-major, without gaps.
struct Pixels {
  int height = 0, width = 0, channels = 0;
  std::span<const std::uint8_t> data;
};

/// What the bytes are, told by how they begin whatever the example says of them; empty: no picture we know.
QFW_API std::optional<Example::Encoding> encoding_of(std::span<const std::byte> bytes);

/// "jpeg", "png", "webp", "pixels".
QFW_API const char* name_of(Example::Encoding encoding);

/// Decodes JPEG (libjpeg-turbo, fast integer DCT, fancy upsampling: the arithmetic of TensorFlow's decoder), PNG and still
/// WebP, to three channels: grey is repeated, CMYK converted, transparency dropped. Pictures of more than 2^28 pixels are
/// refused. EXIF orientation is ignored, as the original does. Keeps its buffers from one image to the next; for one thread.
/// Errors are Error::Category::data and say what is wrong with the bytes; where they came from is the caller's to say.
class QFW_API Decoder {
 public:
  Decoder();
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder();

  /// Without decoding the pixels.
  Size size(const Example& example);
  /// Of a JPEG only what the window needs is decoded. What is returned lives until the next call.
  Pixels decode(const Example& example, const Window& window);
  Pixels decode(const Example& example);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Per channel: (value - mean) * factor, after resizing; values are 0 to 255, not clamped.
struct Normalize {
  float mean[3] = {0, 0, 0}, factor[3] = {1, 1, 1};
};

/// Bicubic (Keys, a = -0.5), half-pixel centres, no antialiasing, weights renormalised at the borders: TensorFlow's v2
/// tf.image.resize. Optionally mirrored left to right. Keeps its tables and buffers; for one thread.
class QFW_API Resizer {
 public:
  Resizer();
  Resizer(const Resizer&) = delete;
  Resizer& operator=(const Resizer&) = delete;
  ~Resizer();

  /// Of three channels; `to` is [size.height, size.width, 3].
  void bicubic(const Pixels& from, Size size, bool mirrored, const Normalize& normalize, std::span<float> to);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Pixels of an example (three channels or one) as JPEG, of a quality from 1 to 100, or PNG.
QFW_API std::vector<std::byte> encode(const Example& example, Example::Encoding encoding, int quality);
QFW_API std::vector<std::byte> encode_jpeg(const Pixels& pixels, int quality);
QFW_API std::vector<std::byte> encode_png(const Pixels& pixels);

}  // namespace qfw::image
