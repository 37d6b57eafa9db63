#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qfw/backend.h"
#include "qfw/exporter.h"
#include "run/session.h"

namespace qfw {

/// What a run's network makes of its validation images, in their order, on the run's own backend and with the codes checked, as
/// evaluations do.
class ExportReference {
 public:
  /// Of the first `images`, 0: of as many as evaluations take. The session's variables are those after `step` steps, and
  /// `model` was made of them (frozen_model); all outlive this. Throws as evaluate() does.
  ExportReference(Session& session, const FrozenModel& model, std::int64_t step, std::int64_t images);

  std::int64_t images() const { return images_; }
  /// f32 [images, classes] of what run() gave so far: all, but for a reference that was never run.
  const std::vector<float>& logits() const { return logits_; }

  /// (name, value) of options; see Exporter::Runtime.
  using Way = std::vector<std::pair<std::string, std::string>>;
  /// A backend that runs the exported file in such a way.
  using MakeRuntime = std::function<std::unique_ptr<Backend>(const Way& way)>;

  struct Outcome {
    std::string runtime;  ///< "onnxruntime 1.32.0 cpu"
    std::string ways;     ///< "levels basic and all, threads 1 and 2"; empty: there is one, without options
    std::int64_t images = 0;
    bool equal = true;          ///< every bit of every logit, in every way
    double largest = 0;         ///< |difference| of two logits in any way; not finite if one of them is not
    std::int64_t agreeing = 0;  ///< images with the same greatest logit, in the way with the fewest
    std::string difference;     ///< unless equal: the way, the image, and the first layer with another value

    /// "equal: onnxruntime 1.32.0 cpu, levels basic and all, 10000 images"; "close: max |d| 0.0012, top-1 agreement 99.98 %
    /// ...". Where no equality was promised, equal logits of some images are luck, and nothing to rely on.
    std::string guarantee(const Exporter::Promise& promise) const;
  };
  /// Compares the file's logits with the run's in each way. With `to_the_first`, ends at the first image that differs: where
  /// equality was promised, nothing more is to be found.
  Outcome compare(const std::vector<Way>& ways, const MakeRuntime& make, bool to_the_first);

 private:
  bool compare(Backend& runtime, const Way& way, bool to_the_first, Outcome& outcome,
               const std::function<void(std::int64_t images)>& progress);
  std::string first_layer(Backend& runtime, std::span<const float> images, std::int64_t count);

  Session& session_;
  const FrozenModel& model_;
  std::int64_t step_, images_ = 0;
  std::vector<float> logits_;
};

/// The first `images` prepared validation images, f32 [images, H, W, C].
std::vector<float> validation_images(Session& session, std::int64_t images);

}  // namespace qfw
