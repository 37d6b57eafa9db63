#include "context.h"

namespace qfw::cpu {

const lowering::Target& target() {
  static const lowering::Target target{.alignment = alignment};
  return target;
}

}  // namespace qfw::cpu
