#include <webp/encode.h>

#include "support.h"

namespace qfw {
namespace {

using test::example_of;
using test::Picture;
using testing::AllOf;
using testing::HasSubstr;

std::vector<std::byte> taken(std::uint8_t* memory, std::size_t size) {
  const auto* begin = reinterpret_cast<const std::byte*>(memory);
  const std::vector<std::byte> bytes(begin, begin + size);
  WebPFree(memory);
  return bytes;
}

std::vector<std::byte> lossless(const Picture& picture) {
  std::uint8_t* memory = nullptr;
  const std::size_t size =
      WebPEncodeLosslessRGB(picture.levels.data(), picture.width, picture.height, 3 * picture.width, &memory);
  return taken(memory, size);
}

std::vector<std::byte> lossy(const Picture& picture) {
  std::uint8_t* memory = nullptr;
  const std::size_t size = WebPEncodeRGB(picture.levels.data(), picture.width, picture.height, 3 * picture.width, 95, &memory);
  return taken(memory, size);
}

/// Two frames, as their headers have it.
std::vector<std::byte> animated() {
  const std::string text("RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x07\0\0\x07\0\0ANIM\0\0\0\0", 38);
  const auto* begin = reinterpret_cast<const std::byte*>(text.data());
  return {begin, begin + text.size()};
}

template <class Action>
std::string data_error(Action action) {
  return test::message_of(Error::Category::data, action);
}

TEST(Webp, LosslessIsReadBackToTheLevel) {
  const Picture picture(13, 29);
  image::Decoder decoder;
  const auto bytes = lossless(picture);
  EXPECT_EQ(image::encoding_of(bytes), Example::Encoding::webp);
  EXPECT_EQ(decoder.size(example_of(bytes)), (image::Size{13, 29}));
  const image::Pixels pixels = decoder.decode(example_of(bytes));
  EXPECT_EQ(pixels.channels, 3);
  EXPECT_EQ(std::vector(pixels.data.begin(), pixels.data.end()), picture.levels);
  const image::Window window{4, 7, 6, 11};
  const auto cut = decoder.decode(example_of(bytes), window).data;
  EXPECT_EQ(std::vector(cut.begin(), cut.end()), picture.cut(window));
}

TEST(Webp, LossyIsCloseAndTransparencyIsDropped) {
  const Picture picture(16, 16);
  image::Decoder decoder;
  EXPECT_LT(test::largest_difference(decoder.decode(example_of(lossy(picture))).data, picture.levels), 40);
  const std::vector<std::uint8_t> clear{10, 20, 30, 255, 40, 50, 60, 128};
  std::uint8_t* memory = nullptr;
  const std::size_t size = WebPEncodeLosslessRGBA(clear.data(), 2, 1, 8, &memory);
  const auto pixels = decoder.decode(example_of(taken(memory, size))).data;
  EXPECT_EQ(std::vector(pixels.begin(), pixels.end()), (std::vector<std::uint8_t>{10, 20, 30, 40, 50, 60}));
}

TEST(Webp, OnePixelIsAPicture) {
  image::Decoder decoder;
  EXPECT_EQ(decoder.decode(example_of(lossless(Picture(1, 1)))).data.size(), 3u);
}

TEST(Webp, AFewBytesAskForNoMemory) {
  auto bytes = lossless(Picture(1, 1));
  const auto claim = [&](std::uint32_t height, std::uint32_t width) {  // 14 bits each, behind the byte 0x2f
    const std::uint32_t sizes = (width - 1) | (height - 1) << 14 | std::to_integer<std::uint32_t>(bytes[24]) >> 4 << 28;
    std::memcpy(&bytes[21], &sizes, sizeof sizes);
    return data_error([&] { image::Decoder().size(example_of(bytes)); });
  };
  EXPECT_THAT(claim(16383, 16383), HasSubstr("67108864 are the limit"));
  EXPECT_THAT(data_error([&] { image::Decoder().decode(example_of(bytes)); }), HasSubstr("are the limit"));
  EXPECT_THAT(claim(8193, 8192), HasSubstr("are the limit"));
}

TEST(Webp, AnimatedOnesAreRefused) {
  image::Decoder decoder;
  const auto bytes = animated();
  EXPECT_EQ(image::encoding_of(bytes), Example::Encoding::webp);
  EXPECT_THAT(data_error([&] { decoder.decode(example_of(bytes)); }), HasSubstr("animated"));
  EXPECT_THAT(data_error([&] { decoder.size(example_of(bytes)); }), HasSubstr("animated"));
}

TEST(Webp, EveryTruncationIsAnError) {
  image::Decoder decoder;
  for (const auto& whole : {lossless(Picture(16, 16)), lossy(Picture(16, 16))}) {
    for (std::size_t size = 12; size < whole.size(); size += 3) {
      const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THAT(data_error([&] { decoder.decode(example_of(cut)); }), HasSubstr("WebP is damaged")) << size;
    }
  }
}

TEST(Webp, IsNotWritten) {
  const Picture picture(2, 2);
  const Example example{.shape = {2, 2, 3}, .bytes = std::as_bytes(std::span(picture.levels))};
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { image::encode(example, Example::Encoding::webp, 90); }),
              HasSubstr("webp"));
}

}  // namespace
}  // namespace qfw
