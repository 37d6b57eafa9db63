#include <algorithm>
#include <random>

#include "support.h"

namespace qfw {
namespace {

using test::example_of;
using test::jpeg_of;
using test::JpegStyle;
using test::largest_difference;
using test::Picture;
using testing::HasSubstr;

std::vector<std::uint8_t> decoded(const std::vector<std::byte>& bytes) {
  image::Decoder decoder;
  const auto data = decoder.decode(example_of(bytes)).data;
  return {data.begin(), data.end()};
}

std::string message_for(const std::vector<std::byte>& bytes) {
  return test::message_of(Error::Category::data, [&] { image::Decoder().decode(example_of(bytes)); });
}

TEST(Jpeg, EveryKindIsReadBackAlmostAsItWas) {
  const JpegStyle styles[] = {{},
                              {.sampling_h = 2},
                              {.sampling_h = 2, .sampling_v = 2},
                              {.sampling_v = 2},
                              {.progressive = true},
                              {.sampling_h = 2, .sampling_v = 2, .progressive = true},
                              {.restart = 3},
                              {.arithmetic = true},
                              {.stored = JCS_RGB}};
  for (const auto& [height, width] : {std::pair{40, 56}, {17, 13}, {1, 1}, {1, 33}, {33, 1}, {16, 16}}) {
    const Picture picture(height, width);
    for (const JpegStyle& style : styles) {
      const auto bytes = jpeg_of(picture, style);
      image::Decoder decoder;
      EXPECT_EQ(decoder.size(example_of(bytes)), (image::Size{height, width}));
      const image::Pixels pixels = decoder.decode(example_of(bytes));
      EXPECT_EQ(pixels.height, height);
      EXPECT_EQ(pixels.width, width);
      EXPECT_EQ(pixels.channels, 3);
      const bool halved = style.sampling_h * style.sampling_v > 1;
      EXPECT_LE(largest_difference(pixels.data, picture.levels), halved ? 32 : 16) << height << " x " << width;
    }
  }
}

TEST(Jpeg, GreyIsRepeated) {
  const Picture picture(20, 30, 1);
  const auto levels = decoded(jpeg_of(picture, {.from = JCS_GRAYSCALE, .stored = JCS_GRAYSCALE}));
  ASSERT_EQ(levels.size(), 3 * picture.levels.size());
  for (std::size_t i = 0; i < picture.levels.size(); ++i) {
    EXPECT_NEAR(levels[3 * i], picture.levels[i], 8);
    EXPECT_EQ(levels[3 * i], levels[3 * i + 1]);
    EXPECT_EQ(levels[3 * i], levels[3 * i + 2]);
  }
}

TEST(Jpeg, InksAreConverted) {
  for (const J_COLOR_SPACE stored : {JCS_CMYK, JCS_YCCK}) {
    for (const bool adobe : {true, false}) {
      if (stored == JCS_YCCK && !adobe) continue;  // nothing else tells YCCK
      Picture inks(16, 16, 4);
      for (std::size_t i = 0; i < inks.levels.size(); ++i)
        inks.levels[i] = std::array<std::uint8_t, 4>{200, 100, 50, 180}[i % 4];
      const auto levels = decoded(jpeg_of(inks, {.from = JCS_CMYK, .stored = stored, .adobe = adobe, .quality = 100}));
      // Adobe stores how much ink is missing.
      const int expected[3] = {adobe ? 200 * 180 / 255 : 55 * 75 / 255, adobe ? 100 * 180 / 255 : 155 * 75 / 255,
                               adobe ? 50 * 180 / 255 : 205 * 75 / 255};
      ASSERT_EQ(levels.size(), 16u * 16 * 3);
      for (std::size_t i = 0; i < levels.size(); ++i) ASSERT_NEAR(levels[i], expected[i % 3], 4) << i % 3 << adobe;
      image::Decoder decoder;
      const auto part =
          decoder.decode(example_of(jpeg_of(inks, {.from = JCS_CMYK, .stored = stored, .adobe = adobe})), {3, 5, 7, 2});
      EXPECT_EQ(part.data.size(), 7u * 2 * 3);
      EXPECT_NEAR(part.data[0], expected[0], 6);
    }
  }
}

TEST(Jpeg, AWindowIsCutOutOfThePicture) {
  const Picture picture(45, 70);
  for (const bool progressive : {false, true}) {
    const auto bytes = jpeg_of(picture, {.progressive = progressive, .restart = progressive ? 0u : 2u});
    Picture whole = picture;
    whole.levels = decoded(bytes);
    image::Decoder decoder;
    for (int y = 0; y < picture.height; y += 4) {
      for (int x = 0; x < picture.width; x += 3) {
        for (const int size : {1, 2, 8, 17, 70}) {
          const image::Window window{y, x, std::min(size, picture.height - y), std::min(size, picture.width - x)};
          const image::Pixels pixels = decoder.decode(example_of(bytes), window);
          ASSERT_EQ(pixels.height, window.height);
          ASSERT_EQ(pixels.width, window.width);
          ASSERT_EQ(largest_difference(pixels.data, whole.cut(window)), 0) << y << " " << x << " " << size;
        }
      }
    }
  }
}

TEST(Jpeg, WithHalvedColoursAWindowDiffersOnlyAtItsEdges) {
  const Picture picture(64, 80);
  for (const int vertical : {1, 2}) {
    const auto bytes = jpeg_of(picture, {.sampling_h = 2, .sampling_v = vertical});
    Picture whole = picture;
    whole.levels = decoded(bytes);
    const image::Window window{10, 21, 40, 43};
    image::Decoder decoder;
    Picture part(window.height, window.width);
    const auto data = decoder.decode(example_of(bytes), window).data;
    part.levels.assign(data.begin(), data.end());
    const image::Window inner{2, 2, window.height - 4, window.width - 4};
    EXPECT_EQ(part.cut(inner), whole.cut({window.y + 2, window.x + 2, inner.height, inner.width}));
  }
}

TEST(Jpeg, OrientationIsIgnored) {
  const Picture picture(10, 22);
  auto bytes = jpeg_of(picture, {});
  const auto plain = decoded(bytes);
  const unsigned char exif[] = {0xff, 0xe1, 0, 34,   'E', 'x', 'i', 'f', 0, 0, 'M', 'M', 0, 42, 0, 0, 0, 8,
                                0,    1,    1, 0x12, 0,   3,   0,   0,   0, 1, 0,   6,   0, 0,  0, 0, 0, 0};
  for (std::size_t i = 0; i < sizeof exif; ++i)
    bytes.insert(bytes.begin() + 2 + static_cast<std::ptrdiff_t>(i), std::byte{exif[i]});
  image::Decoder decoder;
  EXPECT_EQ(decoder.size(example_of(bytes)), (image::Size{10, 22}));
  EXPECT_EQ(decoded(bytes), plain);
}

TEST(Jpeg, FillBytesBetweenSegmentsAreNoMatter) {
  const auto good = jpeg_of(Picture(12, 18), {});
  auto bytes = good;
  bytes.insert(bytes.begin() + 2, 5, std::byte{0xff});
  EXPECT_EQ(image::Decoder().size(example_of(bytes)), (image::Size{12, 18}));
  EXPECT_EQ(decoded(bytes), decoded(good));
}

TEST(Jpeg, EveryTruncationIsAnError) {
  for (const bool progressive : {false, true}) {
    const auto whole = jpeg_of(Picture(32, 32), {.progressive = progressive});
    for (std::size_t size = 3; size + 4 < whole.size(); size += 7) {
      const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_THAT(message_for(cut), HasSubstr("JPEG")) << size << " of " << whole.size();
    }
  }
}

TEST(Jpeg, WhatIsNoPictureSaysSo) {
  EXPECT_THAT(message_for({}), HasSubstr("no bytes"));
  EXPECT_THAT(message_for(std::vector<std::byte>(100)), HasSubstr("neither a JPEG, a PNG nor a WebP"));
  EXPECT_EQ(image::encoding_of({}), std::nullopt);
  EXPECT_EQ(image::encoding_of(jpeg_of(Picture(4, 4), {})), Example::Encoding::jpeg);
  EXPECT_EQ(image::encoding_of(image::encode_png(Picture(4, 4).pixels())), Example::Encoding::png);
}

TEST(Jpeg, DamageIsAnErrorOrAPictureAndNothingIsPrinted) {
  const Picture picture(40, 40);
  const auto good = jpeg_of(picture, {.sampling_h = 2, .sampling_v = 2});
  const auto expected = decoded(good);
  image::Decoder decoder;
  std::mt19937 random(1);
  int errors = 0;
  testing::internal::CaptureStderr();
  for (int i = 0; i < 2000; ++i) {
    auto bytes = good;
    for (int k = 0; k < 1 + i % 4; ++k) bytes[random() % bytes.size()] = static_cast<std::byte>(random());
    try {
      decoder.decode(example_of(bytes), {static_cast<int>(random() % 8), static_cast<int>(random() % 8), 20, 20});
    } catch (const Error& error) {
      EXPECT_EQ(error.category(), Error::Category::data);
      ++errors;
    }
  }
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_GT(errors, 20);
  const auto data = decoder.decode(example_of(good)).data;  // what came before leaves no trace
  EXPECT_EQ(largest_difference(data, expected), 0);
}

TEST(Jpeg, ALyingHeaderTakesNoMemory) {
  auto bytes = jpeg_of(Picture(8, 8), {});
  for (std::size_t i = 0; i + 9 < bytes.size(); ++i) {
    if (bytes[i] != std::byte{0xff} || bytes[i + 1] != std::byte{0xc0}) continue;
    bytes[i + 5] = bytes[i + 7] = std::byte{0x30};  // 12,000 x 12,000: 432 MB
    EXPECT_THAT(message_for(bytes), HasSubstr("too short for its size"));
    bytes[i + 5] = bytes[i + 7] = std::byte{0xfe};
    EXPECT_THAT(message_for(bytes), HasSubstr("are the limit"));
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { image::Decoder().size(example_of(bytes)); }),
                HasSubstr("are the limit"));
    bytes[i + 5] = bytes[i + 6] = std::byte{0};
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { image::Decoder().size(example_of(bytes)); }), HasSubstr("0 x"));
    return;
  }
  FAIL() << "no frame header";
}

TEST(Jpeg, ThousandsOfScansAreNotGoneThrough) {
  const auto good = jpeg_of(Picture(16, 16), {.progressive = true});
  constexpr std::byte start[] = {std::byte{0xff}, std::byte{0xda}}, table[] = {std::byte{0xff}, std::byte{0xc4}};
  const auto first = std::search(good.begin(), good.end(), start, start + 2),
             next = std::search(first, good.end(), table, table + 2);
  const auto with = [&](int more) {
    std::vector<std::byte> bytes(good.begin(), next);
    for (int i = 0; i < more; ++i) bytes.insert(bytes.end(), first, next);
    bytes.insert(bytes.end(), next, good.end());
    return bytes;
  };
  EXPECT_EQ(decoded(with(400)), decoded(good));
  const auto many = with(600);
  EXPECT_THAT(message_for(many), HasSubstr("more than 500 scans"));
  EXPECT_THAT(test::message_of(Error::Category::data,
                               [&] {
                                 image::Decoder().decode(example_of(many), {4, 4, 4, 4});
                               }),
              HasSubstr("more than 500 scans"));
}

TEST(Jpeg, WindowsLieWithinThePicture) {
  const auto bytes = jpeg_of(Picture(10, 20), {});
  image::Decoder decoder;
  for (const image::Window window : {image::Window{-1, 0, 2, 2},
                                     {0, -1, 2, 2},
                                     {0, 0, 0, 2},
                                     {0, 0, 2, 0},
                                     {9, 0, 2, 2},
                                     {0, 19, 2, 2},
                                     {0, 0, 11, 20},
                                     {5, 5, 2147483647, 2}}) {
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { decoder.decode(example_of(bytes), window); }),
                HasSubstr("not within 10 x 20"));
  }
}

TEST(Jpeg, IsWrittenForOneChannelAndThree) {
  for (const int channels : {1, 3}) {
    const Picture picture(19, 31, channels);
    const auto fine = image::encode_jpeg(picture.pixels(), 98), coarse = image::encode_jpeg(picture.pixels(), 20);
    EXPECT_LT(coarse.size(), fine.size());
    const auto levels = decoded(fine);
    ASSERT_EQ(levels.size(), 19u * 31 * 3);
    if (channels == 1) {
      for (std::size_t i = 0; i < picture.levels.size(); ++i) ASSERT_NEAR(levels[3 * i], picture.levels[i], 6);
    }
  }
  EXPECT_THAT(test::message_of(Error::Category::data, [] { image::encode_jpeg(Picture(4, 4, 2).pixels(), 90); }),
              HasSubstr("4 x 4 x 2"));
}

}  // namespace
}  // namespace qfw
