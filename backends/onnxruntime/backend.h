#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "qfw/backend.h"
#include "qfw/lowering/variables.h"
#include "qfw/options.h"
#include "runtime.h"

namespace qfw::onnxruntime {

/// Evaluations alone: what images go through is written as ONNX and run by ONNX Runtime; what is computed once, or checked or
/// measured beside it, by the reference kernels.
class OnnxRuntimeBackend final : public Backend {
 public:
  struct Options {
    std::string library, level = "all", model, form = "auto";
    std::int64_t threads = 0;
    static void declare(Declare<Options>& option) {
      option("library", &Options::library,
             "libonnxruntime.so, or the folder it lies in; if empty, QFW_ONNXRUNTIME names it, or it is looked for in .deps, "
             "beside "
             "each Python, in the system");
      option("level", &Options::level, "how far ONNX Runtime may rewrite the network",
             {.choices = {"disable_all", "basic", "extended", "all"}});
      option("threads", &Options::threads, "that it computes with; 0: one for each core that may be used",
             {.min = 0, .max = 1024});
      option("model", &Options::model, "run this file in place of what would be written of the network; it must be one of it");
      option(
          "form", &Options::form,
          "of the network in ONNX; auto: that of the model, or exact if all layers are products of integers, float otherwise",
          {.choices = {"auto", "exact", "qdq", "float"}});
    }
  };
  explicit OnnxRuntimeBackend(const Options& options);

  std::string describe() const override;
  int threads() const override { return treatment_.threads; }
  Support supports(const Graph& graph, const Node& node) const override;
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override;
  void read(std::string_view variable, HostTensor to) const override;
  void write(std::string_view variable, HostView from) override;

 private:
  std::unique_ptr<Executable> network(const Graph& graph) const;

  std::string model_, form_;
  Treatment treatment_;
  std::shared_ptr<const Runtime> runtime_;          // executables may outlive the backend
  std::shared_ptr<lowering::Variables> variables_;  // likewise
};

}  // namespace qfw::onnxruntime
