#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "data/corrupt.h"
#include "qfw/augment.h"
#include "qfw/dataset.h"

namespace qfw {

/// A place in a training run: `step` counts within the epoch.
struct DataPosition {
  std::uint64_t epoch = 0, step = 0;
  bool operator==(const DataPosition&) const = default;
};

struct PipelineSettings {
  std::string split = "train";
  std::int64_t batch = 1;  ///< images per step of this replica
  std::uint64_t seed = 0;
  bool training = true;        ///< shuffled, augmented, whole batches, for ever; else every image once, in order
  int workers = 1;             ///< decoding threads
  int prefetch = 2;            ///< batches decoded ahead of the one in use, at most
  int rank = 0, replicas = 1;  ///< a step takes batch * replicas images; this replica the rank-th run of `batch` of them
  std::int64_t examples = 0;   ///< use only the first so many of the split; 0: all
  DataPosition start;          ///< training only; nothing before it is decoded
  /// Asked about each example that cannot be read (Error::Category::data); none: the first one ends it all. What it lets pass
  /// is replaced by the next readable example of the split (training), or its label is -1 and its image zero (evaluation).
  CorruptExamples* corrupt = nullptr;
};

/// Valid until the next call of Pipeline::next; aligned to 64 bytes.
struct Batch {
  std::span<const float> images;         ///< [B, H, W, C]; rows beyond `count` are zero
  std::span<const std::int32_t> labels;  ///< [B]; 0 beyond `count`, -1 for a corrupt example
  int count = 0;                         ///< rows that are examples; 0 is possible for a replica at the end of an evaluation
  DataPosition position;                 ///< of this batch
};

/// Batches of a data set, decoded by threads of low priority straight into reused buffers. What is delivered depends on the
/// settings but never on the number of threads. `dataset` and `augment` outlive it. To be used by one thread.
class Pipeline {
 public:
  /// Throws Error::Category::usage for a batch larger than the split (training), impossible settings and differing sizes.
  Pipeline(const Dataset& dataset, const Augment& augment, const PipelineSettings& settings);
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;
  ~Pipeline();  ///< stops promptly: at most the examples being decoded are finished

  /// Waits for the next batch; empty at the end of an evaluation. Rethrows what a worker met in that batch, then and ever
  /// after.
  std::optional<Batch> next();

  /// The images that next() will return, if they are there by now and fill a batch; valid as long as what it returns.
  std::optional<std::span<const float>> upcoming() const;

  Shape image_shape() const;             ///< [H, W, C]
  std::int64_t examples() const;         ///< in use, of all replicas together
  std::int64_t steps_per_epoch() const;  ///< equal on all replicas
  DataPosition position() const;         ///< of the batch that next() will return: what a checkpoint keeps

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Whole batches in `examples` (training), or batches that cover them all (evaluation). What Clock needs, without a pipeline.
std::int64_t steps_per_epoch(std::int64_t examples, std::int64_t batch, int replicas, bool training);

}  // namespace qfw
