#pragma once

#include <optional>
#include <string_view>

#include "qfw/builder.h"

/// The layers most models are made of, each in a scope of its own name. Parameters: `kernel`, `bias`; `gamma`, `beta`.
namespace qfw::layers {

struct Conv {
  std::int64_t features = 0;
  Extent kernel{1, 1};
  Extent stride{1, 1};
  std::optional<Padding> padding{};  ///< left out: same_padding
  std::int64_t groups = 1;
  bool bias = false;
  std::optional<bool> src_signed{};  ///< left out: proved from the graph
};
QFW_API Value conv(GraphBuilder& g, std::string_view name, Value x, const Conv& attributes);

struct Linear {
  std::int64_t features = 0;
  bool bias = true;
};
QFW_API Value linear(GraphBuilder& g, std::string_view name, Value x, const Linear& attributes);

struct BatchNorm {
  float epsilon = 1e-5f;
  float momentum = 0.9f;  ///< running = momentum * running + (1 - momentum) * batch, the biased variance
  float gamma = 1;        ///< initial value; 0 makes a residual block start as the identity
};
/// Batch statistics in training, running ones (state `mean`, `variance`) otherwise. Each replica normalises by its own
/// batch; the running statistics average over replicas.
QFW_API Value batch_norm(GraphBuilder& g, std::string_view name, Value x, const BatchNorm& attributes = {});

}  // namespace qfw::layers
