#include "scratch.h"

namespace qfw::cpu {

void Scratch::reserve(std::size_t bytes) {
  constexpr std::size_t grain = 1 << 16;
  if (bytes <= pages_.bytes()) return;
  pages_ = Pages();  // both at once might not fit
  pages_ = Pages((bytes + grain - 1) / grain * grain);
}

}  // namespace qfw::cpu
