// What a vector of output channels meets of src where groups are narrower than it. Included once per instruction set.
#if defined(QFW_CPU_SPREAD) == defined(HWY_TARGET_TOGGLE)
#ifdef QFW_CPU_SPREAD
#undef QFW_CPU_SPREAD
#else
#define QFW_CPU_SPREAD
#endif

#include <algorithm>

#include "hwy/highway.h"
#include "matmul/geometry.h"

HWY_BEFORE_NAMESPACE();
namespace qfw::cpu::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

/// Lane l of vector `block` is output channel block * lanes + l; it meets channels first + offsets[l] + [0, cg) of src.
struct Spread {
  std::int64_t first = 0, count = 0;  ///< count: lanes that are channels
  std::int64_t reach = 0;             ///< the greatest offset
  bool as_it_is = true;               ///< offset l of each lane l
  HWY_ALIGN std::int32_t offsets[hn::MaxLanes(hn::ScalableTag<std::int32_t>())] = {};

  Spread(const Geometry& g, std::int64_t block, std::int64_t lanes) {
    const std::int64_t o = block * lanes;
    first = o / g.og() * g.cg();
    count = std::min(lanes, g.o - o);
    std::int64_t channel = o % g.og(), offset = 0;  // the former in its group
    for (std::int64_t l = 0; l < count; ++l) {
      offsets[l] = static_cast<std::int32_t>(offset);
      reach = offset;
      as_it_is = as_it_is && offset == l;
      if (++channel == g.og()) {
        channel = 0;
        offset += g.cg();
      }
    }
  }
};

}  // namespace
}  // namespace qfw::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
