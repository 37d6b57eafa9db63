#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include "io/row_file.h"

namespace qfw {

/// What the quantized operands of a run's layers were like after each evaluation, as a table. docs/run_folder.md has its
/// columns.
class LayersFile {
 public:
  struct Row {
    std::string layer;
    bool weights = false;                               ///< else its input
    std::optional<double> bound, bound_min, bound_max;  ///< over channels; not written where not finite
    std::optional<double> clipped;
  };

  /// Keeps of what is there the evaluations until `evaluated` steps. Throws as RowFile does.
  LayersFile(std::filesystem::path path, std::int64_t evaluated);

  /// After so many steps; in one piece.
  void add(std::int64_t step, std::span<const Row> rows);
  void sync() { file_->sync(); }

 private:
  std::optional<RowFile> file_;
};

}  // namespace qfw
