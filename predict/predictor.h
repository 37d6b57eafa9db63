#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "qfw/backend.h"
#include "qfw/dataset.h"
#include "qfw/frozen_model.h"
#include "qfw/preparation.h"

namespace qfw::predict {

/// Computes a frozen model's logits. Lanes, each a thread with a backend of its own, take batches from one queue. Any number of
/// threads may call it; what an image's logits are depends on that image alone.
class Predictor {
 public:
  using MakeBackend = std::function<std::unique_ptr<Backend>()>;
  struct Settings {
    int batch = 0;  ///< most images at once; 0: a multiple of a lane's threads, 16 at least
    int lanes = 1;
  };
  /// Makes the first lane's backend and its executable for one image, so that what cannot be computed is refused here; all
  /// others when they are needed first.
  Predictor(FrozenModel model, MakeBackend make, Settings settings);
  Predictor(const Predictor&) = delete;
  Predictor& operator=(const Predictor&) = delete;
  ~Predictor();

  const FrozenModel& model() const;
  const std::string& backend() const;  ///< described
  int batch() const;
  int lanes() const;
  std::size_t image_elements() const;  ///< H * W * C
  std::size_t classes() const;

  /// Prepared images, [count, H, W, C], to [count, classes]. Throws Error::Category::data for one that holds a value that is
  /// not finite, or leads to a logit that is not.
  void images(std::span<const float> images, std::span<float> logits) const;
  /// Throws Error::Category::usage if the model has no preparation, Error::Category::data, naming which of several, for a
  /// picture that cannot be used.
  void pictures(std::span<const Example> pictures, std::span<float> logits) const;
  /// One picture made ready for images(); throws likewise.
  void prepare(const Example& picture, std::span<float> image) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfw::predict
