#include <fmt/format.h>
#include <webp/decode.h>

#include "image/jpeg.h"
#include "qfw/error.h"

namespace qfw::image {

namespace {

const std::uint8_t* data_of(std::span<const std::byte> bytes) { return reinterpret_cast<const std::uint8_t*>(bytes.data()); }

[[noreturn]] void bad(const char* what) { fail(Error::Category::data, "webp", fmt::format("this WebP is damaged: {}", what)); }

const char* meaning(VP8StatusCode status) {
  switch (status) {
    case VP8_STATUS_NOT_ENOUGH_DATA:
      return "it ends early";
    case VP8_STATUS_UNSUPPORTED_FEATURE:
      return "it is of a kind that its own library does not know";
    default:
      return "its stream of bits is broken";
  }
}

}  // namespace

Size webp_size(std::span<const std::byte> bytes) {
  WebPBitstreamFeatures features;
  if (const VP8StatusCode status = WebPGetFeatures(data_of(bytes), bytes.size(), &features); status != VP8_STATUS_OK)
    bad(meaning(status));
  if (features.has_animation) {
    fail(Error::Category::data, "webp", "this WebP is animated, and only still ones are read", {}, "store one of its frames");
  }
  check_size(features.height, features.width, max_webp_pixels);
  return {features.height, features.width};
}

Size decode_webp(std::span<const std::byte> bytes, std::vector<std::uint8_t>& pixels) {
  const Size size = webp_size(bytes);
  const std::size_t stride = std::size_t{3} * static_cast<std::size_t>(size.width);
  pixels.resize(stride * static_cast<std::size_t>(size.height));
  WebPDecoderConfig config;
  if (WebPInitDecoderConfig(&config) == 0)
    fail(Error::Category::internal, "webp", "libwebp is of another version than its headers");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixels.data(), static_cast<int>(stride), pixels.size()};
  const VP8StatusCode status = WebPDecode(data_of(bytes), bytes.size(), &config);
  WebPFreeDecBuffer(&config.output);
  if (status != VP8_STATUS_OK) bad(meaning(status));
  return size;
}

}  // namespace qfw::image
