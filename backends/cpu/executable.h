#pragma once

#include <memory>
#include <vector>

#include "images_part.h"
#include "loaded_program.h"
#include "qfw/backend.h"
#include "qfw/lowering/exchange.h"

namespace qfw::cpu {

/// A graph as one program, or as one for a few images at a time and one for what follows (ByImages).
class CpuExecutable final : public Executable {
 public:
  CpuExecutable(const Graph& graph, std::shared_ptr<Context> context, Communicator& replicas);

  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override;
  void profile(bool on) override;
  std::vector<Task> tasks() const override;
  std::span<const Interval> intervals() const override;
  std::int64_t arena_bytes() const override;
  std::vector<Held> held() const override;

  const Program& program() const { return rest_->program(); }  ///< of all images at once
  const ImagesPart* images() const { return images_.get(); }   ///< null: there is no other

 private:
  std::size_t first_tasks() const { return images_ ? images_->program().instructions.size() : 0; }

  std::shared_ptr<Context> context_;
  lowering::Exchange exchange_;
  std::unique_ptr<ImagesPart> images_;  ///< runs first
  std::unique_ptr<LoadedProgram> rest_;
  std::vector<int> rest_nodes_;              ///< of the whole graph, by node of the rest; empty: they are the same
  std::vector<HostView> rest_feeds_;         ///< where there is a first part: the graph's, then what that gives
  bool profile_ = false, profiled_ = false;  ///< the next run; the last one
  std::vector<Interval> intervals_;          ///< of each task
};

}  // namespace qfw::cpu
