#include <zlib.h>

#include "support.h"

namespace qfw {
namespace {

using test::example_of;
using test::Picture;
using test::png_of;
using testing::ElementsAre;
using testing::HasSubstr;

std::vector<int> decoded(const std::vector<std::byte>& bytes) {
  image::Decoder decoder;
  const auto data = decoder.decode(example_of(bytes)).data;  // the label says JPEG, the bytes decide
  return {data.begin(), data.end()};
}

TEST(Png, WhatIsWrittenIsReadBack) {
  for (const int channels : {1, 3}) {
    const Picture picture(13, 29, channels);
    const auto bytes = image::encode_png(picture.pixels());
    image::Decoder decoder;
    EXPECT_EQ(decoder.size(example_of(bytes)), (image::Size{13, 29}));
    const image::Pixels pixels = decoder.decode(example_of(bytes));
    EXPECT_EQ(pixels.channels, 3);
    for (std::size_t i = 0; i < picture.levels.size(); ++i) {
      if (channels == 3) {
        ASSERT_EQ(pixels.data[i], picture.levels[i]);
      } else {
        for (std::size_t c = 0; c < 3; ++c) ASSERT_EQ(pixels.data[3 * i + c], picture.levels[i]);
      }
    }
  }
}

TEST(Png, AWindowIsCutOut) {
  const Picture picture(13, 29);
  const image::Window window{4, 7, 6, 11};
  image::Decoder decoder;
  const auto data = decoder.decode(example_of(image::encode_png(picture.pixels())), window).data;
  EXPECT_EQ(std::vector<std::uint8_t>(data.begin(), data.end()), picture.cut(window));
}

TEST(Png, SixteenBitsKeepTheUpperEight) {
  EXPECT_THAT(decoded(png_of(1, 2, PNG_COLOR_TYPE_GRAY, 16, {200, 255, 7, 1})), ElementsAre(200, 200, 200, 7, 7, 7));
  EXPECT_THAT(decoded(png_of(1, 1, PNG_COLOR_TYPE_RGB, 16, {1, 200, 2, 0, 3, 9})), ElementsAre(1, 2, 3));
}

TEST(Png, PalettesAndFewBitsAreExpanded) {
  const std::vector<png_color> palette{{10, 20, 30}, {40, 50, 60}, {70, 80, 90}};
  EXPECT_THAT(decoded(png_of(1, 3, PNG_COLOR_TYPE_PALETTE, 8, {2, 0, 1}, palette)),
              ElementsAre(70, 80, 90, 10, 20, 30, 40, 50, 60));
  EXPECT_THAT(decoded(png_of(1, 3, PNG_COLOR_TYPE_PALETTE, 2, {0b10000100}, palette)),
              ElementsAre(70, 80, 90, 10, 20, 30, 40, 50, 60));
  EXPECT_THAT(decoded(png_of(1, 2, PNG_COLOR_TYPE_GRAY, 1, {0b10000000})), ElementsAre(255, 255, 255, 0, 0, 0));
}

TEST(Png, TransparencyIsDropped) {
  EXPECT_THAT(decoded(png_of(1, 2, PNG_COLOR_TYPE_RGB_ALPHA, 8, {1, 2, 3, 0, 4, 5, 6, 128})), ElementsAre(1, 2, 3, 4, 5, 6));
  EXPECT_THAT(decoded(png_of(1, 1, PNG_COLOR_TYPE_GRAY_ALPHA, 8, {77, 3})), ElementsAre(77, 77, 77));
}

TEST(Png, InterlacedIsTheSamePicture) {
  const Picture picture(17, 23);
  EXPECT_EQ(decoded(png_of(17, 23, PNG_COLOR_TYPE_RGB, 8, picture.levels, {}, PNG_INTERLACE_ADAM7)),
            decoded(png_of(17, 23, PNG_COLOR_TYPE_RGB, 8, picture.levels)));
}

TEST(Png, EveryTruncationAndAFlippedBitIsAnError) {
  const auto whole = image::encode_png(Picture(16, 16).pixels());
  image::Decoder decoder;
  testing::internal::CaptureStderr();
  for (std::size_t size = 8; size < whole.size(); size += 5) {
    const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { decoder.decode(example_of(cut)); }), HasSubstr("PNG is damaged"));
  }
  auto flipped = whole;
  flipped[whole.size() / 2] ^= std::byte{1};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { decoder.decode(example_of(flipped)); }),
              HasSubstr("PNG is damaged"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_EQ(decoder.decode(example_of(whole)).data.size(), 16u * 16 * 3);
}

TEST(Png, AHeaderThatClaimsTooMuchTakesNoMemory) {
  auto bytes = png_of(1, 1, PNG_COLOR_TYPE_RGB, 8, {1, 2, 3});
  const auto claim = [&](std::uint32_t height, std::uint32_t width) {  // IHDR: width, height, five bytes, checksum of all
    for (std::size_t i = 0; i < 4; ++i) {
      bytes[16 + i] = static_cast<std::byte>(width >> (24 - 8 * i));
      bytes[20 + i] = static_cast<std::byte>(height >> (24 - 8 * i));
    }
    const auto sum = crc32(0, reinterpret_cast<const Bytef*>(bytes.data() + 12), 17);
    for (std::size_t i = 0; i < 4; ++i) bytes[29 + i] = static_cast<std::byte>(sum >> (24 - 8 * i));
    image::Decoder decoder;
    return test::message_of(Error::Category::data, [&] { decoder.decode(example_of(bytes)); });
  };
  EXPECT_THAT(claim(16384, 16384), HasSubstr("too short for its size"));
  EXPECT_THAT(claim(1, 65500), HasSubstr("too short for its size"));
  EXPECT_THAT(claim(1 << 20, 1 << 20), HasSubstr("are the limit"));
  EXPECT_THAT(claim(1 << 30, 1), HasSubstr("PNG is damaged"));
}

TEST(Png, LongLinesAreRead) {
  const std::vector<std::uint8_t> row(65500, 7);
  EXPECT_EQ(decoded(png_of(1, 65500, PNG_COLOR_TYPE_GRAY, 8, row)).size(), 3u * 65500);
  const std::vector<std::uint8_t> column(65500, 9);
  EXPECT_EQ(decoded(png_of(65500, 1, PNG_COLOR_TYPE_GRAY, 8, column)).size(), 3u * 65500);
}

TEST(Pixels, AreCutOutAndGreyIsRepeated) {
  const Picture picture(5, 6, 1);
  const Example example{.shape = {5, 6, 1}, .bytes = std::as_bytes(std::span(picture.levels))};
  image::Decoder decoder;
  EXPECT_EQ(decoder.size(example), (image::Size{5, 6}));
  const auto data = decoder.decode(example, {1, 2, 3, 2}).data;
  const auto part = picture.cut({1, 2, 3, 2});
  ASSERT_EQ(data.size(), 18u);
  for (std::size_t i = 0; i < data.size(); ++i) EXPECT_EQ(data[i], part[i / 3]);

  Example wrong = example;
  wrong.shape = {5, 7, 1};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { decoder.decode(wrong); }), HasSubstr("30 bytes"));
  wrong.shape = {5, 3, 2};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { decoder.decode(wrong); }), HasSubstr("1 or 3"));
}

}  // namespace
}  // namespace qfw
