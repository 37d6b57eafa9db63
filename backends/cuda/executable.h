#pragma once

#include <memory>
#include <vector>

#include "program.h"
#include "qfw/backend.h"
#include "qfw/lowering/exchange.h"
#include "upcoming.h"

namespace qfw::cuda {

/// A graph on a device. A run copies feeds to page-locked memory and on to fixed places of the device, unless they are there
/// already (prefetch), replays what was recorded of the program when it first ran, and copies the fetches back.
class CudaExecutable final : public Executable {
 public:
  CudaExecutable(const Graph& graph, std::shared_ptr<Context> context, Communicator& replicas);

  void prefetch(std::span<const HostView> feeds) override;
  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override;
  void profile(bool on) override { profile_ = on; }
  std::vector<Task> tasks() const override;
  std::span<const Interval> intervals() const override;
  std::int64_t arena_bytes() const override { return static_cast<std::int64_t>(program_.arena_bytes); }
  std::vector<Held> held() const override { return program_.held; }

  const Program& program() const { return program_; }

 private:
  struct Pointers {
    std::vector<const std::byte*> inputs;
    std::vector<Address> outputs;
  };
  /// Instructions [first, end) that are recorded together, or one that the host takes part in.
  struct Segment {
    std::size_t first = 0, end = 0;
    bool on_host = false;
    std::unique_ptr<Recording> recording;
  };
  /// Feeds or fetches, one behind the other in page-locked memory of the host and, the same way, on the device.
  struct Exchanged {
    std::vector<std::size_t> offsets;
    std::size_t bytes = 0;
    HostMemory host;
    DeviceMemory device;
  };

  void lay_out(Exchanged& to, std::span<const TensorType> types);
  void point();
  Address resolve(const lowering::Place& place) const;
  void divide();
  void copy_in(Step step, std::span<const HostView> feeds);
  void enqueue(std::size_t instruction);
  void run_recorded();
  void run_profiled();
  [[noreturn]] void rethrow_for(std::size_t instruction);

  std::shared_ptr<Context> context_;
  lowering::Exchange exchange_;
  std::vector<lowering::Variables::Entry*> variables_;
  std::vector<const lowering::Variables::Entry*> read_;
  Program program_;
  Exchanged feeds_, fetches_;  ///< a StepData stands before the feeds
  std::unique_ptr<Upcoming> upcoming_;
  std::vector<Pointers> pointers_;
  std::vector<Segment> segments_;
  int generation_ = -1;  ///< of the context, when addresses were taken
  bool profile_ = false, profiled_ = false;
  std::vector<std::unique_ptr<Event>> events_;  ///< before each instruction, and behind the last
  std::vector<Interval> intervals_;
};

}  // namespace qfw::cuda
