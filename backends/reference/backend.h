#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "qfw/backend.h"
#include "qfw/lowering/variables.h"
#include "qfw/options.h"

namespace qfw::reference {

/// The oracle: every op by its reference kernel, in order, on one thread.
class Reference final : public Backend {
 public:
  struct Options {
    std::int64_t threads = 1;
    static void declare(Declare<Options>& option) {
      option("threads", &Options::threads,
             "accepted so that a recipe can switch backends by one line; plain loops use one thread",
             {.min = 0, .unused = true});
    }
  };
  explicit Reference(const Options& options);

  std::string describe() const override { return "reference: plain loops on 1 thread, sums in double"; }
  int threads() const override { return 1; }
  Support supports(const Graph& graph, const Node& node) const override;
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override;
  void read(std::string_view variable, HostTensor to) const override;
  void write(std::string_view variable, HostView from) override;

 private:
  std::shared_ptr<lowering::Variables> variables_;  // executables may outlive the backend: they share the memory, too
};

}  // namespace qfw::reference
