#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/tensor.h"

namespace qfw {

/// What a checkpoint holds besides variables. Nothing in it may depend on place or time: equal runs give equal files.
struct CheckpointInfo {
  std::int64_t step = 0;                        ///< completed steps
  std::uint64_t data_epoch = 0, data_step = 0;  ///< where the data pipeline goes on
  std::string recipe;                           ///< resolved, without [run]
  std::string data;                             ///< what it was trained on, see train/data_record.h; empty: not recorded
  std::map<std::string, double> metrics;
};

struct CheckpointVariable {
  std::string name;  ///< "stage1/block0/conv_1/kernel": groups and a data set below /variables
  TensorType type;
  bool operator==(const CheckpointVariable&) const = default;
};

/// Fills `to` with the value of a variable, as Backend::read does.
using ReadVariable = std::function<void(std::string_view name, HostTensor to)>;

/// Writes all variables (in order of name) and a checksum of everything, by rename. Equal contents give equal bytes.
void save_checkpoint(const std::filesystem::path& path, const CheckpointInfo& info,
                     std::span<const CheckpointVariable> variables, const ReadVariable& read);

/// An open checkpoint. Every failure is an Error::Category::data that names the file.
class Checkpoint {
 public:
  enum class Check { checksum, none };
  /// With Check::checksum all of the file is read once and compared, so that nothing of a damaged one is ever used.
  explicit Checkpoint(const std::filesystem::path& path, Check check = Check::checksum);
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
