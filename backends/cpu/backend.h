#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "context.h"
#include "qfw/backend.h"
#include "qfw/options.h"

namespace qfw::cpu {

/// oneDNN for matmuls and pooling, own fused kernels for everything between them, one static plan per graph.
class CpuBackend final : public Backend {
 public:
  struct Options {
    int threads = 0;
    std::string groups = "compiled";
    bool winograd = false;
    static void declare(Declare<Options>& option) {
      option("threads", &Options::threads,
             "threads to compute with; 0: OMP_NUM_THREADS, or else one per physical core that affinity and cgroup allow",
             {.min = 0, .max = 1024});
      option("groups", &Options::groups,
             "passes between matmuls: compiled to machine code when a step is made, or interpreted, two to three times slower; "
             "equal bits",
             {.choices = {"compiled", "interpreted"}});
      option("winograd", &Options::winograd,
             "f32 convolutions of 3x3 with stride 1, and their gradients for src, by Winograd's F(4x4, 3x3): a quarter of the "
             "multiplications, other last bits, in training and evaluation alike");
    }
  };
  explicit CpuBackend(const Options& options);

  std::string describe() const override;
  int threads() const override { return context_->threads; }
  Peak peak() const override;
  double bandwidth() const override;
  Support supports(const Graph& graph, const Node& node) const override;
  std::vector<std::string> notes(const Graph& training) const override;
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override;
  void read(std::string_view variable, HostTensor to) const override;
  void write(std::string_view variable, HostView from) override;

 private:
  std::string why_so_many_;           ///< threads
  std::shared_ptr<Context> context_;  // executables may outlive the backend
  mutable std::once_flag measured_, bandwidth_measured_;
  mutable Peak peak_;
  mutable double bandwidth_ = 0;
};

}  // namespace qfw::cpu
