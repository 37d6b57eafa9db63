#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "qfw/image.h"
#include "qfw/preparation.h"

namespace qfw::image {

/// Resizing with a filter as wide as the scale, as Pillow does it, bit for bit: weights are rounded to 22 bits behind the
/// point, columns come first, then rows, and each pass rounds to 8 bits. Keeps its buffers; for one thread.
class ReducingResizer {
 public:
  /// `part` of what becomes of a picture of three channels when it is resized to `whole`, as [part.height, part.width, 3]; it
  /// lives until the next call. `filter` is one of the reduced ones.
  std::span<const std::uint8_t> operator()(const Pixels& from, Preparation::Filter filter, Size whole, const Window& part);

 private:
  /// Of some outputs along an axis, the inputs that each is made of, and their weights.
  struct Axis {
    struct Inputs {
      int first, count;
      std::size_t weights;  ///< where in Axis::weights they begin
    };
    void prepare(int from, int to, int first, int count, Preparation::Filter filter);

    int from = 0, to = 0, first = 0, count = 0;
    Preparation::Filter filter = Preparation::Filter::bicubic;
    std::vector<Inputs> outputs;
    std::vector<std::int32_t> weights;
  };

  void narrow(const Pixels& from, int first_row, int rows);
  void shorten(const std::uint8_t* from, int first_row, std::size_t row_bytes);

  Axis columns_, rows_;
  std::vector<std::uint8_t> narrowed_, result_;
  std::vector<std::int32_t> sums_;
};

}  // namespace qfw::image
