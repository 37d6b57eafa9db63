#pragma once

#include <cstdint>

#include "qfw/graph.h"

namespace qfw::cpu {

/// A convolution's extents, in the letters everybody uses; a dense product is one of height, width and kernel 1.
struct Geometry {
  std::int64_t n = 1, h = 1, w = 1, c = 1;  ///< src
  std::int64_t oh = 1, ow = 1, o = 1;       ///< dst
  std::int64_t kh = 1, kw = 1, sh = 1, sw = 1;
  std::int64_t top = 0, left = 0, bottom = 0, right = 0;  ///< padding
  std::int64_t groups = 1;

  std::int64_t cg() const { return c / groups; }
  std::int64_t og() const { return o / groups; }
  std::int64_t rows() const { return n * oh * ow; }  ///< of the product of matrices it amounts to
  std::int64_t depth() const { return kh * kw * cg(); }
  std::int64_t macs() const { return rows() * depth() * o; }
  /// Whether row r of that product is src's memory from r * c on.
  bool rows_are_pixels() const {
    return kh == 1 && kw == 1 && sh == 1 && sw == 1 && top == 0 && left == 0 && bottom == 0 && right == 0;
  }
};

/// Of a conv2d, conv2d_grad_src, conv2d_grad_weights or dense node.
Geometry geometry_of(const Graph& graph, const Node& node);

}  // namespace qfw::cpu
