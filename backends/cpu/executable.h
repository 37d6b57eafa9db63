#pragma once

#include <memory>
#include <vector>

#include "program.h"
#include "qfw/backend.h"
#include "session.h"

namespace qfw::cpu {

class CpuExecutable final : public Executable {
 public:
  CpuExecutable(const Graph& graph, std::shared_ptr<Session> session, Communicator& replicas);

  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override;
  void profile(bool on) override;
  std::vector<Timing> timings() const override;
  std::int64_t arena_bytes() const override;

  const Program& program() const { return program_; }

 private:
  struct Pointers {
    std::vector<const void*> inputs;
    std::vector<void*> outputs;
  };

  void check(std::span<const HostView> feeds, std::span<const HostTensor> fetches) const;
  void require_variables() const;
  std::byte* resolve(const Place& place, std::span<const HostView> feeds, std::span<const HostTensor> fetches);

  std::shared_ptr<Session> session_;
  std::vector<Input> inputs_;
  std::vector<std::pair<std::string, TensorType>> fetches_;
  std::vector<VariableStore::Entry*> variables_;
  Program program_;
  std::vector<Pointers> pointers_;  ///< of each instruction
  float step_ = 0;
  bool profile_ = false;
  std::vector<Timing> timings_;
  std::vector<int> timing_of_;  ///< of each instruction
};

}  // namespace qfw::cpu
