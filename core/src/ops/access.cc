#include "ops/access.h"

#include <algorithm>

namespace qfw::ops {

Floats::Floats(const HostView& from) {
  const auto widen = [&](auto words) {
    copy_.resize(words.size());
    std::transform(words.begin(), words.end(), copy_.begin(), [](auto word) { return static_cast<float>(word); });
    return std::span<const float>(copy_);
  };
  const std::span<const float> floats = from.type.dtype == DType::bf16  ? widen(from.as<BFloat16>())
                                        : from.type.dtype == DType::f16 ? widen(from.as<Float16>())
                                                                        : from.as<float>();
  data_ = floats.data();
  size_ = static_cast<std::int64_t>(floats.size());
}

Broadcast::Broadcast(const Shape& narrow, const Shape& wide) : count_(narrow.count()), rank_(wide.rank()) {
  bool suffix = true, stretched = false;  // suffix: trailing axes equal, then only ones
  std::int64_t stride = 1;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    const int own = axis - (rank_ - narrow.rank());
    const std::int64_t extent = own >= 0 ? narrow[own] : 1;
    extents_[axis] = wide[axis];
    strides_[axis] = extent == 1 ? 0 : stride;
    stride *= extent;
    if (extent != wide[axis]) stretched = true;
    if (stretched && extent != 1) suffix = false;
  }
  if (narrow.count() == wide.count()) {
    kind_ = Kind::same;
  } else if (narrow.count() == 1) {
    kind_ = Kind::one;
  } else if (suffix) {
    kind_ = Kind::suffix;
  }
}

}  // namespace qfw::ops
