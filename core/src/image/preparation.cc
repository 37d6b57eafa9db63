#include "qfw/preparation.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "image/bicubic.h"
#include "image/jpeg.h"
#include "image/reduced.h"
#include "qfw/error.h"

namespace qfw::image {

namespace {

constexpr int largest_size = 16384;

[[noreturn]] void refuse(std::string_view what, std::string_view remedy) {
  fail(Error::Category::usage, "preparation", what, {}, remedy);
}

double of_channel(const std::vector<double>& numbers, int channel) {
  return numbers[numbers.size() == 1 ? 0 : static_cast<std::size_t>(channel)];
}

/// Of what a resizing made.
Normalize normalization(const Preparation& preparation) {
  Normalize result;
  for (int c = 0; c < 3; ++c) {
    const int channel = preparation.channels == 3 ? c : 0;
    result.mean[c] = static_cast<float>(255 * of_channel(preparation.mean, channel));
    result.factor[c] = static_cast<float>(1 / (255 * of_channel(preparation.stddev, channel)));
  }
  return result;
}

/// Of one thread: buffers that live from one image to the next.
struct Tools {
  Decoder decoder;
  Resizer resizer;
  ReducingResizer reducing;
  std::vector<float> three;
  std::vector<std::uint8_t> pixels;
};
Tools& tools() {
  thread_local Tools all;
  return all;
}

Window all_of(Size picture) { return {0, 0, picture.height, picture.width}; }

/// As other readers of pictures than TensorFlow's see it: a JPEG by the accurate transform.
Pixels decoded_accurately(const Example& example, const Window& window) {
  if (example.encoding == Example::Encoding::pixels || encoding_of(example.bytes) != Example::Encoding::jpeg) {
    return tools().decoder.decode(example, window);
  }
  std::vector<std::uint8_t>& pixels = tools().pixels;
  const Size size = decode_jpeg(example.bytes, window, pixels, JpegTransform::accurate);
  return {size.height, size.width, 3, pixels};
}

/// What a picture's shorter side resized to `shorter` makes of both: the longer one is rounded down.
Size with_shorter_side(Size picture, int shorter) {
  const int least = std::min(picture.height, picture.width), most = std::max(picture.height, picture.width);
  const double exact = static_cast<double>(std::int64_t{shorter} * most) / least;
  if (exact > std::numeric_limits<int>::max()) {
    fail(Error::Category::data, "preparation",
         fmt::format("a picture of {} x {} pixels is too narrow to resize its shorter side to {}", picture.height,
                     picture.width, shorter));
  }
  const int longer = static_cast<int>(exact);
  return picture.width <= picture.height ? Size{longer, shorter} : Size{shorter, longer};
}

/// Halves are rounded to even.
Window middle_of(Size picture, int height, int width) {
  const auto place = [](int room, int taken) { return static_cast<int>(std::lrint((room - taken) / 2.0)); };
  return {place(picture.height, height), place(picture.width, width), height, width};
}

}  // namespace

const char* name_of(Preparation::Fit fit) {
  switch (fit) {
    case Preparation::Fit::exact:
      return "exact";
    case Preparation::Fit::centre_square:
      return "centre_square";
    case Preparation::Fit::shorter_side:
      return "shorter_side";
  }
  return "?";
}

const char* name_of(Preparation::Filter filter) {
  switch (filter) {
    case Preparation::Filter::bicubic:
      return "bicubic";
    case Preparation::Filter::bilinear_reduced:
      return "bilinear_reduced";
    case Preparation::Filter::bicubic_reduced:
      return "bicubic_reduced";
  }
  return "?";
}

void check(const Preparation& preparation) {
  const auto& [height, width, channels, fit, filter, margin, bgr, mean, stddev] = preparation;
  if (height < 1 || width < 1 || height > largest_size || width > largest_size) {
    refuse(fmt::format("images are {} x {}", height, width), fmt::format("sizes are 1 to {}", largest_size));
  }
  if (channels < 1 || (fit != Preparation::Fit::exact && channels != 1 && channels != 3)) {
    refuse(fmt::format("images have {} channels", channels), "pictures have one channel or three");
  }
  if (bgr && channels != 3) refuse(fmt::format("bgr is asked for with {} channels", channels), "only colours have an order");
  if (fit != Preparation::Fit::exact && (height != width || margin < 0 || margin > largest_size)) {
    refuse(fmt::format("a crop to {} x {} with a margin of {}", height, width, margin),
           fmt::format("crops are square, margins 0 to {}", largest_size));
  }
  for (const auto* numbers : {&mean, &stddev}) {
    if (numbers->size() == 1 || numbers->size() == static_cast<std::size_t>(channels)) continue;
    refuse(fmt::format("{} has {} numbers, images have {} channels", numbers == &mean ? "mean" : "stddev", numbers->size(),
                       channels),
           "give one number, or one for each channel");
  }
  if (const auto bad = std::ranges::find_if(mean, [](double value) { return !std::isfinite(value); }); bad != mean.end()) {
    refuse(fmt::format("mean is {}", *bad), "it must be a finite number");
  }
  const auto bad = std::ranges::find_if(stddev, [](double value) { return !(value > 0) || !std::isfinite(value); });
  if (bad != stddev.end()) refuse(fmt::format("stddev is {}", *bad), "it must be above 0");
}

Window centre_square(Size picture, int size, int margin) {
  const float part = static_cast<float>(static_cast<double>(size) / (size + margin));
  const int side = std::max(1, static_cast<int>(part * static_cast<float>(std::min(picture.height, picture.width))));
  return {(picture.height - side + 1) / 2, (picture.width - side + 1) / 2, side, side};
}

std::vector<std::array<float, 256>> tables_of(const Preparation& preparation) {
  std::vector<std::array<float, 256>> tables(static_cast<std::size_t>(preparation.channels));
  const Normalize normalize = normalization(preparation);
  for (int channel = 0; channel < preparation.channels; ++channel) {
    const double mean = of_channel(preparation.mean, channel), stddev = of_channel(preparation.stddev, channel);
    for (int pixel = 0; pixel < 256; ++pixel) {
      float& value = tables[static_cast<std::size_t>(channel)][static_cast<std::size_t>(pixel)];
      if (preparation.fit == Preparation::Fit::exact) {
        value = static_cast<float>((pixel / 255.0 - mean) / stddev);
      } else {
        value = (static_cast<float>(pixel) - normalize.mean[channel]) * normalize.factor[channel];
      }
    }
  }
  return tables;
}

struct Preparer::Impl {
  explicit Impl(const Preparation& of) : preparation(of) {
    check(of);
    in_rgb = normalization(of);
    if (of.bgr) {
      std::swap(in_rgb.mean[0], in_rgb.mean[2]);
      std::swap(in_rgb.factor[0], in_rgb.factor[2]);
    }
    tables = tables_of(of);
  }

  void exact(const Example& example, std::span<float> image) const;
  void resized(const Example& example, const Window& window, bool mirrored, std::span<float> image) const;
  void reduced(const Pixels& pixels, Size whole, const Window& part, bool mirrored, std::span<float> image) const;
  void shorter_side(const Example& example, std::span<float> image) const;
  void check_room(std::span<float> image) const;
  std::span<float> room_for_colours(std::span<float> image) const;
  void reorder(std::span<float> image) const;

  Preparation preparation;
  Normalize in_rgb;  ///< of what a resizing made, whatever the network's order
  std::vector<std::array<float, 256>> tables;
};

namespace {

/// What a picture is that a network does not read, as whoever gave it knows it: a file's channels are the decoder's choice.
std::string text_of(const Example& example, const Shape& decoded) {
  if (example.encoding == Example::Encoding::pixels) {
    return fmt::format("the image is {} in {} bytes", decoded.str(), example.bytes.size());
  }
  const auto encoding = encoding_of(example.bytes).value_or(example.encoding);
  return fmt::format("the picture ({}) has {} x {} pixels, height x width", name_of(encoding), decoded[0], decoded[1]);
}

}  // namespace

/// Of pixels as they are in the network's order.
void Preparer::Impl::exact(const Example& example, std::span<float> image) const {
  const int channels = preparation.channels;
  const Shape wanted{preparation.height, preparation.width, channels};
  Shape found = example.shape;
  std::span<const std::uint8_t> pixels(reinterpret_cast<const std::uint8_t*>(example.bytes.data()), example.bytes.size());
  if (example.encoding != Example::Encoding::pixels) {
    const Pixels decoded = tools().decoder.decode(example);
    found = {decoded.height, decoded.width, decoded.channels};
    pixels = decoded.data;
  }
  const bool fits = found.rank() == 3 && found[0] == wanted[0] && found[1] == wanted[1] &&
                    (found[2] == channels || (channels == 1 && found[2] == 3) || (channels == 3 && found[2] == 1)) &&
                    static_cast<std::int64_t>(pixels.size()) == found.count();
  if (!fits) {
    fail(Error::Category::data, "preparation",
         fmt::format("{}; the network reads {} x {} in {}", text_of(example, found), wanted[0], wanted[1],
                     channels == 1 ? std::string("one channel") : fmt::format("{} channels", channels)),
         {}, "resize it first, or choose an augment that does");
  }
  const auto count = static_cast<std::size_t>(wanted[0] * wanted[1]), theirs = static_cast<std::size_t>(found[2]);
  const auto ours = static_cast<std::size_t>(channels);
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t c = 0; c < ours; ++c) {
      const std::size_t from = theirs == ours ? (preparation.bgr ? ours - 1 - c : c) : 0;
      image[i * ours + c] = tables[c][pixels[i * theirs + from]];
    }
  }
}

void Preparer::Impl::resized(const Example& example, const Window& window, bool mirrored, std::span<float> image) const {
  const Size size{preparation.height, preparation.width};
  if (preparation.filter != Preparation::Filter::bicubic) {
    reduced(decoded_accurately(example, window), size, all_of(size), mirrored, image);
    return;
  }
  const Pixels pixels = tools().decoder.decode(example, window);
  tools().resizer.bicubic(pixels, size, mirrored, in_rgb, room_for_colours(image));
  reorder(image);
}

std::span<float> Preparer::Impl::room_for_colours(std::span<float> image) const {
  if (preparation.channels == 3) return image;
  tools().three.resize(3 * image.size());
  return tools().three;
}

/// What lies in room_for_colours(), resized and normalised as RGB, into the network's order.
void Preparer::Impl::reorder(std::span<float> image) const {
  if (preparation.channels == 1) {
    for (std::size_t i = 0; i < image.size(); ++i) image[i] = tools().three[3 * i];
  } else if (preparation.bgr) {
    for (std::size_t i = 0; i < image.size(); i += 3) std::swap(image[i], image[i + 2]);
  }
}

/// `part` of the pixels resized to `whole`; its pixels are 8 bits, so that the tables have all there is.
void Preparer::Impl::reduced(const Pixels& pixels, Size whole, const Window& part, bool mirrored,
                             std::span<float> image) const {
  const auto bytes = tools().reducing(pixels, preparation.filter, whole, part);
  const auto width = static_cast<std::size_t>(part.width), channels = tables.size();
  float* to = image.data();
  for (std::size_t y = 0; y < static_cast<std::size_t>(part.height); ++y) {
    for (std::size_t x = 0; x < width; ++x) {
      const std::uint8_t* pixel = &bytes[3 * (y * width + (mirrored ? width - 1 - x : x))];
      for (std::size_t c = 0; c < channels; ++c) *to++ = tables[c][pixel[preparation.bgr ? 2 - c : c]];
    }
  }
}

void Preparer::Impl::shorter_side(const Example& example, std::span<float> image) const {
  const Size size = tools().decoder.size(example);
  const Size whole = with_shorter_side(size, preparation.height + preparation.margin);
  const Window part = middle_of(whole, preparation.height, preparation.width);
  if (preparation.filter != Preparation::Filter::bicubic) {
    reduced(decoded_accurately(example, all_of(size)), whole, part, false, image);
    return;
  }
  const Pixels pixels = tools().decoder.decode(example);
  const auto rows = bicubic_taps(size.height, whole.height, part.y, part.height);
  const auto columns = bicubic_taps(size.width, whole.width, part.x, part.width);
  std::vector<float> row(3 * static_cast<std::size_t>(size.width) + 4), line(3 * columns.size() + 4);
  resize_rgb(pixels, rows, columns, in_rgb, row.data(), line.data(), room_for_colours(image).data());
  reorder(image);
}

Preparer::Preparer(const Preparation& preparation) : impl_(std::make_unique<Impl>(preparation)) {}
Preparer::~Preparer() = default;

const Preparation& Preparer::preparation() const { return impl_->preparation; }

void Preparer::Impl::check_room(std::span<float> image) const {
  const std::int64_t wanted = std::int64_t{preparation.height} * preparation.width * preparation.channels;
  if (static_cast<std::int64_t>(image.size()) == wanted) return;
  fail(Error::Category::internal, "preparation", fmt::format("room for {} values, {} expected", image.size(), wanted));
}

void Preparer::operator()(const Example& example, std::span<float> image) const {
  const Preparation& of = impl_->preparation;
  if (of.fit == Preparation::Fit::exact) {
    impl_->check_room(image);
    impl_->exact(example, image);
  } else if (of.fit == Preparation::Fit::shorter_side) {
    impl_->check_room(image);
    impl_->shorter_side(example, image);
  } else {
    apply(example, centre_square(size(example), of.height, of.margin), false, image);
  }
}

Size Preparer::size(const Example& example) const { return tools().decoder.size(example); }

void Preparer::apply(const Example& example, const Window& window, bool mirrored, std::span<float> image) const {
  impl_->check_room(image);
  impl_->resized(example, window, mirrored, image);
}

}  // namespace qfw::image
