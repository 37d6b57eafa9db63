#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qfw/backend.h"
#include "qfw/lowering/exchange.h"
#include "qfw/onnx/pixels.h"
#include "runtime.h"

namespace qfw::onnxruntime {

/// Whether a graph is a frozen network whose logits, and values of its sites perhaps, are asked for.
bool is_network(const Graph& graph);

/// A frozen network as ONNX Runtime runs it: a model that was made of its graph, or somebody's file.
///
/// Inputs: one, `images`, f32, NCHW or NHWC (NCHW where extents do not tell), or `pixels`, u8 NHWC, for which images are taken
/// back to the pixels that the model's own description of its input (metadata qfw.preparation) makes them from. Axis 0 is
/// symbolic, or any number: images are fed in as many pieces as it takes. Outputs: `logits`, f32; of sites PATH/sums and
/// PATH/product, f32, NCHW where they are images, whether the model lists them as outputs or not.
class Network final : public Executable {
 public:
  /// `model`: the bytes of a ModelProto; for messages `name` is its, and `remedy` says what to do where it does not fit. Throws
  /// Error::Category::data, saying what was found, for bytes that ONNX Runtime does not load, and for a model whose inputs and
  /// outputs are not those of the graph.
  Network(const Graph& graph, std::shared_ptr<const Runtime> runtime, const std::string& model, const Treatment& treatment,
          const std::string& name, std::string remedy);

  const Session& session() const { return *session_; }

  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override;
  void profile(bool on) override { profiling_ = on; }
  std::vector<Task> tasks() const override;
  std::span<const Interval> intervals() const override { return intervals_; }
  std::int64_t arena_bytes() const override { return static_cast<std::int64_t>(input_.size()); }

 private:
  void open(const std::shared_ptr<const Runtime>& runtime, const std::string& model, const std::vector<std::string>& values,
            const Treatment& treatment, const std::string& name);
  void check_input(const Graph& graph);
  void check_output(const Graph& graph) const;
  void read_preparation();
  void feed_pixels(std::span<const float> image, std::span<std::byte> pixels) const;
  void feed(std::span<const float> images, std::int64_t first, std::int64_t count);
  void take(const Session::Result& result, const Fetch& fetch, const HostTensor& to, std::int64_t first,
            std::int64_t count) const;
  [[noreturn]] void unfit(const std::string& what) const;
  [[noreturn]] void refused(const Refusal& refusal, const std::string& model, const Runtime& runtime,
                            const std::string& name) const;

  std::string remedy_;
  TensorType images_;  // of the graph
  std::vector<Fetch> fetches_;
  lowering::Exchange exchange_;
  int nodes_;
  std::unique_ptr<Session> session_;
  std::int64_t piece_ = 0;  // images that go in together
  bool pixels_ = false, channels_first_ = false;
  std::optional<onnx::Pixels> pixels_of_images_;
  std::span<std::byte> input_;
  bool profiling_ = false;
  std::vector<Interval> intervals_;
};

}  // namespace qfw::onnxruntime
