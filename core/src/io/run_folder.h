#pragma once

#include <filesystem>

namespace qfw {

/// A run's folder and the names in it. Opened for writing it is locked: a second process is refused, with the first's number.
class RunFolder {
 public:
  enum class Access { write, read };
  /// `write` creates the folder where missing; `read` wants it to exist.
  RunFolder(std::filesystem::path folder, Access access);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;
  ~RunFolder();

  /// Makes checkpoints/ and clears what a killed process left. Of its own, so that a start that is refused changes nothing but
  /// the lock.
  void prepare() const;

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path recipe() const { return folder_ / "recipe.ini"; }
  std::filesystem::path environment() const { return folder_ / "environment.json"; }
  std::filesystem::path hparams() const { return folder_ / "hparams.json"; }
  std::filesystem::path log() const { return folder_ / "log.txt"; }
  std::filesystem::path series() const { return folder_ / "series.csv"; }
  std::filesystem::path layers() const { return folder_ / "layers.csv"; }
  std::filesystem::path setup() const { return folder_ / "setup.json"; }
  std::filesystem::path status() const { return folder_ / "status.json"; }
  std::filesystem::path evaluation() const { return folder_ / "evaluation.json"; }
  std::filesystem::path report() const { return folder_ / "report.json"; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path best() const { return folder_ / "best.h5"; }

 private:
  std::filesystem::path folder_;
  int lock_ = -1;
};

}  // namespace qfw
