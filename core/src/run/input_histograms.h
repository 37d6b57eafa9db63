#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "passes/site_inputs.h"
#include "qfw/calibrator.h"
#include "run/session.h"

namespace qfw {

/// How often layers' inputs take which magnitudes in the float network.
struct InputHistograms {
  static constexpr std::size_t bins = 2048;
  /// Of one tensor: one histogram for all of it, or one for each channel. Nothing but zeros: no width and no counts.
  struct Tensor {
    std::string path;  ///< of the first layer that takes it in
    bool per_channel = false;
    std::vector<Calibrator::Histogram> parts;
  };
  std::vector<Tensor> tensors;
  std::map<std::string, std::size_t, std::less<>> tensor_of;  ///< by path of the layer
  std::int64_t images = 0;                                    ///< that they are of
};

/// A layer whose input is asked for.
struct WantedInput {
  std::string path;
  bool per_channel = false;
};

/// Looks twice at `images` of the training split, evenly spread over it and prepared as in an evaluation: for the largest
/// magnitudes, then for counts. The session's variables are those of the network; its graphs are compiled here, so `write` is
/// called for the variables of each before it runs. Throws Error::Category::data for values that are not finite, naming layer
/// and image, and Error::Category::interrupted.
InputHistograms input_histograms(Session& session, const std::vector<WantedInput>& wanted, std::int64_t images,
                                 std::int64_t step, const std::function<void(const Graph&)>& write);

}  // namespace qfw
