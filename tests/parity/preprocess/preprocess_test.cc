#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "crop.h"
#include "parity/tolerances.h"
#include "qfw/augment.h"
#include "qfw/image.h"
#include "support/evaluate.h"
#include "support/golden.h"

namespace qfw {
namespace {

struct Picture {
  golden::Group group;
  std::vector<std::uint8_t> bytes;
  Example example;

  explicit Picture(golden::Group from) : group(std::move(from)) {
    for (const std::int64_t byte : group.integers("jpeg")) bytes.push_back(static_cast<std::uint8_t>(byte));
    example.encoding = Example::Encoding::jpeg;
    example.bytes = std::as_bytes(std::span(bytes));
  }
};

std::vector<Picture> pictures() {
  const auto file = golden::Group::open("preprocess.h5");
  std::vector<Picture> all;
  for (const std::string& name : file.children()) {
    if (name.starts_with("image_")) all.emplace_back(file.group(name));
  }
  return all;
}

image::Window window_of(const golden::Group& group) {
  const auto w = group.integers("window");
  return {static_cast<int>(w[0]), static_cast<int>(w[1]), static_cast<int>(w[2]), static_cast<int>(w[3])};
}

std::vector<std::uint8_t> levels(const golden::Group& group, const std::string& name) {
  std::vector<std::uint8_t> all;
  for (const std::int64_t level : group.integers(name)) all.push_back(static_cast<std::uint8_t>(level));
  return all;
}

void expect_near(std::span<const float> found, const std::vector<float>& expected, float tolerance, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], tolerance) << what << "[" << i << "]";
}

void expect_crop(Picture& picture, const golden::Group& group) {
  image::Decoder decoder;
  const image::Window window = window_of(group);
  const image::Pixels pixels = decoder.decode(picture.example, window);
  ASSERT_EQ(pixels.height, window.height);
  ASSERT_EQ(pixels.width, window.width);
  const auto expected = levels(group, "crop");
  ASSERT_TRUE(std::ranges::equal(pixels.data, expected)) << group.name() << ": the decoded window differs";
}

std::vector<float> resized(const image::Pixels& crop, int size, bool mirrored) {
  const auto file = golden::Group::open("preprocess.h5");
  const auto mean = file.doubles("mean_rgb"), stddev = file.doubles("stddev_rgb");
  image::Normalize normalize;
  for (std::size_t c = 0; c < 3; ++c) {
    normalize.mean[c] = static_cast<float>(mean[c]);
    normalize.factor[c] = static_cast<float>(1 / stddev[c]);
  }
  std::vector<float> result(static_cast<std::size_t>(size * size * 3));
  image::Resizer().bicubic(crop, {size, size}, mirrored, normalize, result);
  return result;
}

TEST(Preprocess, whole_pictures_decode_to_the_same_levels) {
  int compared = 0;
  auto all = pictures();
  for (Picture& picture : all) {
    image::Decoder decoder;
    const image::Size size = decoder.size(picture.example);
    EXPECT_EQ(size.height, picture.group.number("height"));
    EXPECT_EQ(size.width, picture.group.number("width"));
    if (!picture.group.has("decoded")) continue;
    ASSERT_TRUE(std::ranges::equal(decoder.decode(picture.example).data, levels(picture.group, "decoded")))
        << picture.group.name();
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST(Preprocess, evaluation_agrees) {
  auto all = pictures();
  ASSERT_FALSE(all.empty());
  for (Picture& picture : all) {
    const auto eval = picture.group.group("eval");
    const auto size = static_cast<std::int64_t>(eval.number("image_size"));
    expect_crop(picture, eval);
    const auto augment = testing::make<Augment>("imagenet_eval", {{"image_size", size}});
    std::vector<float> found(static_cast<std::size_t>(size * size * 3));
    RandomStream random(0, 0);
    augment->apply(picture.example, random, false, found);
    expect_near(found, eval.floats("output").values, parity::preprocessed, eval.name() + " output");
    if (HasFatalFailure()) return;
  }
}

TEST(Preprocess, training_crops_agree) {
  int crops = 0;
  auto all = pictures();
  for (Picture& picture : all) {
    if (picture.group.children() == std::vector<std::string>{"eval"}) continue;
    const auto train = picture.group.group("train");
    for (const std::string& name : train.children()) {
      const auto group = train.group(name);
      if (group.has("crop")) expect_crop(picture, group);
      image::Decoder decoder;
      const image::Pixels crop = decoder.decode(picture.example, window_of(group));
      const auto size = static_cast<int>(group.number("image_size"));
      expect_near(resized(crop, size, group.flag("flip")), group.floats("output").values, parity::preprocessed,
                  group.name() + " output");
      if (group.has("resized")) {
        std::vector<float> plain(static_cast<std::size_t>(size * size * 3));
        image::Resizer().bicubic(crop, {size, size}, false, {}, plain);
        expect_near(plain, group.floats("resized").values, 255 * parity::preprocessed, group.name() + " resized");
      }
      if (HasFatalFailure()) return;
      ++crops;
    }
  }
  EXPECT_GT(crops, 0);
}

TEST(Preprocess, rounds_to_bfloat16_as_the_reference) {
  const auto file = golden::Group::open("preprocess.h5");
  const auto group = file.group("eval_bfloat16");
  Picture picture(file.group(fmt::format("image_{:02}", static_cast<int>(group.number("image")))));
  const auto size = static_cast<std::int64_t>(group.number("image_size"));
  const auto augment = testing::make<Augment>("imagenet_eval", {{"image_size", size}});
  std::vector<float> found(static_cast<std::size_t>(size * size * 3));
  RandomStream random(0, 0);
  augment->apply(picture.example, random, false, found);
  const auto expected = group.floats("output_as_float32").values;
  ASSERT_EQ(found.size(), expected.size());
  std::size_t other = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const auto value = static_cast<float>(BFloat16(found[i]));
    other += value != expected[i];
    // What lies within the tolerance of a rounding boundary may go to the neighbour.
    ASSERT_NEAR(value, expected[i], std::abs(expected[i]) / 128 + parity::preprocessed) << i;
  }
  EXPECT_LE(other, found.size() / 500);
}

/// Largest distance between the distributions of two samples (Kolmogorov and Smirnov).
double distance(std::vector<double> a, std::vector<double> b) {
  std::ranges::sort(a);
  std::ranges::sort(b);
  double largest = 0;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const double at = std::min(a[i], b[j]);
    while (i < a.size() && a[i] <= at) ++i;
    while (j < b.size() && b[j] <= at) ++j;
    largest = std::max(largest, std::abs(static_cast<double>(i) / static_cast<double>(a.size()) -
                                         static_cast<double>(j) / static_cast<double>(b.size())));
  }
  return largest;
}

TEST(Preprocess, random_crops_have_the_distribution_of_the_reference) {
  const auto root = golden::Group::open("preprocess.h5").group("random_crop");
  ASSERT_FALSE(root.children().empty());
  for (const std::string& name : root.children()) {
    const auto group = root.group(name);
    const image::Size picture{static_cast<int>(group.number("height")), static_cast<int>(group.number("width"))};
    const auto windows = group.integers("windows");
    const std::size_t samples = windows.size() / 4;
    std::vector<std::vector<double>> expected(6), found(6);
    const auto add = [&](std::vector<std::vector<double>>& to, double y, double x, double h, double w) {
      const double values[] = {y, x, h, w, h * w, w / h};
      for (std::size_t i = 0; i < 6; ++i) to[i].push_back(values[i]);
    };
    double whole = 0;
    for (std::size_t i = 0; i < samples; ++i) {
      const auto at = [&](std::size_t k) { return static_cast<double>(windows[4 * i + k]); };
      add(expected, at(0), at(1), at(2), at(3));
      RandomStream random(1, 2, i);
      const image::Window w = imagenet::random_crop(picture, {}, random);
      ASSERT_TRUE(w.y >= 0 && w.x >= 0 && w.height > 0 && w.width > 0);
      ASSERT_TRUE(w.height == picture.height || w.y < picture.height - w.height) << "it never touches the bottom edge";
      ASSERT_LE(w.y + w.height, picture.height);
      ASSERT_LE(w.x + w.width, picture.width);
      whole += w.height == picture.height && w.width == picture.width;
      add(found, w.y, w.x, w.height, w.width);
    }
    // Exceeded by two samples of one distribution once in a million times.
    const double bound = std::sqrt(-std::log(1e-6 / 2) / 2) * std::sqrt(2.0 / static_cast<double>(samples));
    const char* names[] = {"y", "x", "height", "width", "area", "aspect"};
    for (std::size_t i = 0; i < 6; ++i) EXPECT_LT(distance(expected[i], found[i]), bound) << name << " " << names[i];
    const double fraction = group.number("whole_image_fraction"), n = static_cast<double>(samples);
    EXPECT_NEAR(whole / n, fraction, 5 * std::sqrt(2 * std::max(fraction * (1 - fraction), 1 / n) / n)) << name;
  }
}

}  // namespace
}  // namespace qfw
