#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "qfw/lowering/program.h"
#include "tile_body.h"

namespace qfw::cpu {

/// Makes what a fused pass does to each tile, of a program that outlives it. Null where `why` says what it cannot do.
using MakeBody = std::function<std::unique_ptr<TileBody>(const lowering::FusedProgram& program, std::string& why)>;

/// One way of running passes; all give the same bits.
struct BodyKind {
  std::string name;
  MakeBody make;
};

/// All that this processor has: machine code for the instruction sets there is any for, the best first; the interpreter last,
/// which takes every program.
const std::vector<BodyKind>& body_kinds();

}  // namespace qfw::cpu
