#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/error.h"
#include "qfw/tensor.h"

namespace qfw {

/// What a checkpoint holds besides variables. Nothing in it may depend on place or time: equal runs give equal files.
struct CheckpointInfo {
  std::int64_t step = 0;                        ///< completed steps
  std::uint64_t data_epoch = 0, data_step = 0;  ///< where the data pipeline goes on
  std::string recipe;                           ///< resolved, without [run]
  std::string data;                             ///< what it was trained on, see run/data_record.h; empty: not recorded
  bool warm_start = false;                      ///< the run began from another's variables, not from initial values
  std::optional<std::int64_t> seed;             ///< run.seed; empty: not recorded
  std::map<std::string, double> metrics;
};

struct CheckpointVariable {
  std::string name;  ///< "stage1/block0/conv_1/kernel": groups and a data set below /variables
  TensorType type;
  bool operator==(const CheckpointVariable&) const = default;
};

/// Fills `to` with the value of a variable, as Backend::read does.
using ReadVariable = std::function<void(std::string_view name, HostTensor to)>;

/// Why a checkpoint cannot be used.
class CheckpointError : public Error {
 public:
  enum class Kind {
    unreadable,  ///< it may be whole: it is not there, may not be read, or reading failed
    damaged,     ///< it is not what was written: cut, changed, or no checkpoint at all
    foreign,     ///< whole, but of a format that this program does not know
    misfit,      ///< whole, but of another model or quantizer: a variable is missing or of another type
  };
  CheckpointError(Kind kind, const std::string& message);
  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

/// Writes all variables (in order of name) by rename, with a checksum of the whole file in front (io/checkpoint_header.h); what
/// follows is an HDF5 file, and HDF5's tools open the whole. Equal contents give equal bytes.
void save_checkpoint(const std::filesystem::path& path, const CheckpointInfo& info,
                     std::span<const CheckpointVariable> variables, const ReadVariable& read);

/// An open checkpoint, held in memory. Every failure is a CheckpointError that names the file.
class Checkpoint {
 public:
  /// All of the file is compared with its checksum first, so that nothing of a damaged one is ever used.
  explicit Checkpoint(const std::filesystem::path& path);
  Checkpoint(const Checkpoint&) = delete;
  Checkpoint& operator=(const Checkpoint&) = delete;
  ~Checkpoint();

  const CheckpointInfo& info() const;
  const std::vector<CheckpointVariable>& variables() const;  ///< in order of name
  void read(std::string_view name, HostTensor to) const;     ///< throws if absent or of another type

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfw
