#include "data_tools/thumbnail.h"

#include <gmock/gmock.h>

#include <cmath>
#include <string_view>
#include <vector>

namespace qfw {
namespace {

using ::testing::StartsWith;

std::string encoded(std::string_view text) { return base64(std::as_bytes(std::span(text))); }

/// The examples of RFC 4648, and bytes beyond ASCII.
TEST(Base64, IsThatOfTheStandard) {
  EXPECT_EQ(encoded(""), "");
  EXPECT_EQ(encoded("f"), "Zg==");
  EXPECT_EQ(encoded("fo"), "Zm8=");
  EXPECT_EQ(encoded("foo"), "Zm9v");
  EXPECT_EQ(encoded("foob"), "Zm9vYg==");
  EXPECT_EQ(encoded("fooba"), "Zm9vYmE=");
  EXPECT_EQ(encoded("foobar"), "Zm9vYmFy");
  EXPECT_EQ(encoded("\xff\xfe\xfd"), "//79");
}

/// What a browser would show, decoded again; the URL's alphabet is undone here by hand.
std::vector<std::uint8_t> shown(const Thumbnail& thumbnail, image::Size& size) {
  constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const std::string prefix = "data:image/png;base64,";
  EXPECT_THAT(thumbnail.data_url, StartsWith(prefix));
  std::vector<std::byte> bytes;
  unsigned bits = 0;
  int count = 0;
  for (const char c : thumbnail.data_url.substr(prefix.size())) {
    if (c == '=') break;
    bits = bits << 6 | static_cast<unsigned>(alphabet.find(c));
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes.push_back(static_cast<std::byte>(bits >> count & 0xff));
  }
  image::Decoder decoder;
  const image::Pixels pixels = decoder.decode({.encoding = Example::Encoding::png, .shape = {}, .bytes = bytes});
  size = {pixels.height, pixels.width};
  return {pixels.data.begin(), pixels.data.end()};
}

TEST(Thumbnail, OfASmallPictureIsThePicture) {
  std::vector<std::uint8_t> grey(28 * 20);
  for (std::size_t i = 0; i < grey.size(); ++i) grey[i] = static_cast<std::uint8_t>(i * 7);
  const auto thumbnail = thumbnail_of({.shape = {28, 20, 1}, .bytes = std::as_bytes(std::span(grey))});
  ASSERT_TRUE(thumbnail);
  EXPECT_EQ(thumbnail->size, (image::Size{28, 20}));
  image::Size size;
  const auto pixels = shown(*thumbnail, size);
  EXPECT_EQ(size, (image::Size{28, 20}));
  for (std::size_t i = 0; i < pixels.size(); ++i) ASSERT_EQ(pixels[i], grey[i / 3]) << i;
}

/// Every fourth pixel white: the mean, not one of them.
TEST(Thumbnail, OfALargePictureIsItsMean) {
  std::vector<std::uint8_t> pixels(400 * 200 * 3);
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    const std::size_t row = i / 3 / 200, column = i / 3 % 200;
    if (row % 2 == 0 && column % 2 == 0) std::fill_n(pixels.begin() + static_cast<std::ptrdiff_t>(i), 3, 255);
  }
  const auto thumbnail = thumbnail_of({.shape = {400, 200, 3}, .bytes = std::as_bytes(std::span(pixels))}, 100);
  ASSERT_TRUE(thumbnail);
  EXPECT_EQ(thumbnail->size, (image::Size{400, 200}));
  image::Size size;
  const auto small = shown(*thumbnail, size);
  EXPECT_EQ(size, (image::Size{100, 50}));
  EXPECT_THAT(small, ::testing::Each(64));
}

TEST(Thumbnail, OfWhatCannotBeDecodedIsNone) {
  const std::vector<std::byte> noise(100, std::byte{7});
  EXPECT_FALSE(thumbnail_of({.encoding = Example::Encoding::jpeg, .shape = {}, .bytes = noise}));
  EXPECT_FALSE(thumbnail_of({.shape = {5, 4, 5}, .bytes = noise})) << "five channels";
}

}  // namespace
}  // namespace qfw
