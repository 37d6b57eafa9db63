#pragma once

#include <memory>
#include <string>

#include "body.h"
#include "kernel.h"
#include "qfw/lowering/grouping.h"
#include "qfw/lowering/program.h"
#include "reductions.h"
#include "tiling.h"

namespace qfw::cpu {

/// A group made ready to run in one pass over memory, scratch included: a body over all tiles, chunks shared out to threads,
/// operands asked for ahead of time. Equal bits for any number of threads; where the graph asks for it sums are taken in double
/// in index order, as the reference does.
class FusedKernel final : public Kernel {
 public:
  FusedKernel(std::unique_ptr<const lowering::FusedProgram> program, std::unique_ptr<TileBody> body, const std::string& why,
              int threads);

  const char* kind() const override { return reductions_.empty() ? "fused elementwise" : "fused reduction"; }
  std::string implementation() const override { return body_->implementation() + (why_.empty() ? "" : ": " + why_); }
  bool in_place(int input, int output) const override { return body_->may_overwrite(input, output); }
  void run(Executable::Step step, std::span<const void* const> inputs, std::span<void* const> outputs) override;

  // The same by hand, for a kernel that makes an operand piece by piece: begin; of each thread prologue, then chunks in any
  // order, each once; when all are done, finish. Denormals are flushed by the caller (qfw/denormals.h).
  const lowering::FusedProgram& program() const { return program_; }
  const Tiling& tiling() const { return tiling_; }
  void begin() { reductions_.begin_run(); }
  void prologue(const Operands& operands, int thread) { body_->prologue(operands, thread); }
  void run_chunk(const Operands& operands, std::size_t chunk, int thread);
  bool reduces() const { return !reductions_.empty(); }
  void finish(int part, int parts, const Operands& operands) const { reductions_.finish(part, parts, operands.outputs); }

 private:
  bool worth_waking() const;
  void work(const Operands& operands, int thread, int team);
  void prefetch(const Operands& operands, std::int64_t row, std::int64_t col, std::int64_t rows) const;

  std::unique_ptr<const lowering::FusedProgram> program_at_;  // the body refers to it
  const lowering::FusedProgram& program_;
  std::unique_ptr<TileBody> body_;
  std::string why_;  // it is none of a better kind
  Tiling tiling_;
  int threads_;
  Reductions reductions_;
};

/// `graph` and `group` need not outlive the call. The interpreter takes what the kind of body cannot.
std::unique_ptr<FusedKernel> make_fused(const Graph& graph, const lowering::Group& group, int threads,
                                        const BodyKind& kind = body_kinds().front());

std::unique_ptr<FusedKernel> make_fused(lowering::FusedProgram program, int threads, const BodyKind& kind);

/// With a body of that kind and no other. Null where `why` says what it cannot do.
std::unique_ptr<FusedKernel> make_fused(lowering::FusedProgram program, int threads, const BodyKind& kind, std::string& why);

}  // namespace qfw::cpu
