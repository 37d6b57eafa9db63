#pragma once

#include <memory>
#include <string>
#include <vector>

#include "qfw/backend.h"
#include "qfw/lowering/exchange.h"
#include "qfw/lowering/variables.h"
#include "qfw/op_definition.h"

namespace qfw::lowering {

/// Evaluates the nodes one after another with the kernels of the op table, on the calling thread, subnormal numbers flushed. A
/// buffer lives from its node to its last use. For variables in host memory.
class Interpreter final : public Executable {
 public:
  /// `backend` names who complains.
  Interpreter(const Graph& graph, std::shared_ptr<Variables> variables, Communicator& replicas, std::string backend);

  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override;
  void profile(bool on) override;
  std::vector<Task> tasks() const override;
  std::span<const Interval> intervals() const override { return intervals_; }
  std::int64_t arena_bytes() const override { return arena_bytes_; }

 private:
  void plan();
  void evaluate(int node, const Step& step, std::span<const HostView> feeds);
  void compute(int node);
  HostTensor allocate(int node, int output);
  HostView view(Use use) const { return values_[use.node][use.output]; }

  std::string backend_;
  Graph graph_;
  std::shared_ptr<Variables> variables_;
  Exchange exchange_;
  Communicator& replicas_;
  std::vector<Variables::Entry*> slots_;       // by index in Graph::variables
  std::vector<const Variables::Entry*> read_;  // those that the graph reads
  std::vector<std::vector<int>> dies_after_;   // by node: the nodes whose buffers it uses last
  std::int64_t arena_bytes_ = 0;

  std::vector<std::vector<HostView>> values_;                // by node and output, of the running step
  std::vector<std::vector<std::vector<std::byte>>> memory_;  // the buffers behind them; sources may view others' memory
  bool profiling_ = false;
  std::vector<Interval> intervals_;  // of the last run, if it was profiled
};

}  // namespace qfw::lowering
