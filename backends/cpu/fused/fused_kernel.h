#pragma once

#include "body.h"
#include "kernel.h"
#include "qfw/lowering/grouping.h"
#include "qfw/lowering/program.h"

namespace qfw::cpu {

/// A group made ready to run in one pass over memory, scratch included. Equal bits for any number of threads; where the graph
/// asks for it sums are taken in double in index order, as the reference does. `graph` and `group` need not outlive the call.
/// The interpreter takes what the kind of body cannot.
std::unique_ptr<Kernel> make_fused(const Graph& graph, const lowering::Group& group, int threads,
                                   const BodyKind& kind = body_kinds().front());

std::unique_ptr<Kernel> make_fused(lowering::FusedProgram program, int threads, const BodyKind& kind);

/// With a body of that kind and no other. Null where `why` says what it cannot do.
std::unique_ptr<Kernel> make_fused(lowering::FusedProgram program, int threads, const BodyKind& kind, std::string& why);

}  // namespace qfw::cpu
