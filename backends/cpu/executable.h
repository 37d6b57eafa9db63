#pragma once

#include <memory>
#include <vector>

#include "program.h"
#include "qfw/backend.h"
#include "qfw/lowering/exchange.h"

namespace qfw::cpu {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(const Graph& graph, std::shared_ptr<Context> context, Communicator& replicas);

  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override;
  void profile(bool on) override;
  std::vector<Task> tasks() const override;
  std::span<const Interval> intervals() const override;
  std::int64_t arena_bytes() const override;
  std::vector<Held> held() const override { return program_.held; }

  const Program& program() const { return program_; }

 private:
  struct Pointers {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
  };

  std::byte* resolve(const lowering::Place& place, std::span<const HostView> feeds, std::span<const HostTensor> fetches);

  std::shared_ptr<Context> context_;
  lowering::Exchange exchange_;
  std::vector<lowering::Variables::Entry*> variables_, read_;  ///< all of the graph's; those that the program reads
  Program program_;
  std::vector<Pointers> pointers_;  ///< of each instruction
  float step_ = 0;
  bool profile_ = false, profiled_ = false;  ///< the next run; the last one
  std::vector<Interval> intervals_;          ///< of each instruction
};

}  // namespace qfw::cpu
