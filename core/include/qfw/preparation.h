#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/image.h"

namespace qfw::image {

/// What an evaluation makes of a picture before a network reads it, as data: augments do it, exported models carry it, and
/// programs that predict repeat it to the bit.
struct Preparation {
  /// How a picture of any size becomes [height, width].
  enum class Fit : std::uint8_t {
    exact,          ///< it has that size, or is refused
    centre_square,  ///< a square of height / (height + margin) of the shorter side, in the middle, is resized; height = width
    shorter_side,   ///< its shorter side is resized to height + margin, then the middle is cut out; height = width
  };
  /// The filter of a resizing. Half-pixel centres and weights renormalised at the borders, all of them.
  enum class Filter : std::uint8_t {
    bicubic,           ///< Keys, a = -0.5, four taps whatever the scale: TensorFlow's v2 tf.image.resize
    bilinear_reduced,  ///< a triangle as wide as the scale, in fixed point with 8-bit results: Pillow, and so torchvision's
    bicubic_reduced,   ///< Keys, a = -0.5, likewise: timm's
  };

  int height = 0, width = 0, channels = 3;  ///< of what the network reads; one channel or three
  Fit fit = Fit::exact;
  Filter filter = Filter::bicubic;  ///< unless fit is exact
  int margin = 0;                   ///< pixels; unless fit is exact
  bool bgr = false;                 ///< three channels, blue first
  /// (value / 255 - mean) / stddev for each channel in the order in which the network reads them, one number or one each. Of
  /// pixels (fit = exact) computed in double and rounded once; of what a resizing made, (value - m) * f in f32 with
  /// m = 255 * mean and f = 1 / (255 * stddev), each rounded once.
  std::vector<double> mean{0.0}, stddev{1.0};

  bool operator==(const Preparation&) const = default;
};

/// The words of a preparation's choices, as recipes and exported models write them: "centre_square", "bicubic".
QFW_API const char* name_of(Preparation::Fit fit);
QFW_API const char* name_of(Preparation::Filter filter);

/// Throws Error::Category::usage for sizes, channels, numbers of means or deviations below what a network can be fed with.
QFW_API void check(const Preparation& preparation);

/// A square of size / (size + margin) of the shorter side, in the middle.
QFW_API Window centre_square(Size picture, int size, int margin);

/// Of each channel in the network's order, what pixel p of a picture that has the network's size already becomes: [p].
QFW_API std::vector<std::array<float, 256>> tables_of(const Preparation& preparation);

/// Does what a Preparation says. Thread-safe: buffers are each thread's own.
class QFW_API Preparer {
 public:
  explicit Preparer(const Preparation& preparation);  ///< throws as check() does
  Preparer(const Preparer&) = delete;
  Preparer& operator=(const Preparer&) = delete;
  ~Preparer();

  const Preparation& preparation() const;
  /// Fills [height, width, channels]. A picture of three channels for a network of one must be grey: its first is taken; one of
  /// one channel is repeated for a network of three. Throws Error::Category::data for an example that cannot be decoded or,
  /// with fit = exact, has another size.
  void operator()(const Example& example, std::span<float> image) const;

  /// For what a training draws instead of the middle; unless fit is exact. The picture's size, without decoding its pixels:
  Size size(const Example& example) const;
  /// and a window of it, resized to the whole image, mirrored left to right if asked for.
  void apply(const Example& example, const Window& window, bool mirrored, std::span<float> image) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfw::image
