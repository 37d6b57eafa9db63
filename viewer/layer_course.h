#pragma once

#include <array>
#include <boost/json/object.hpp>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "viewer/csv_tail.h"

namespace qfw::viewer {

/// layers.csv: bounds and clip rates of each layer's operands after each evaluation. Of many evaluations every second, fourth,
/// ... is kept, and the last one.
class LayerCourse {
 public:
  static constexpr std::size_t most_evaluations = 500, most_operands = 4000;
  static constexpr std::string_view needed_columns[] = {"step", "layer", "operand"};

  LayerCourse();

  /// Reads what is new; the file, or null if there is none. Throws FileProblem.
  std::unique_ptr<FolderFile> refresh(const Folder& folder);

  std::string problem() const;  ///< lines that were left out; empty if there are none
  const std::string& ending() const { return tail_.ending(); }
  /// Another one whenever evaluations that were given before are no longer the first ones.
  std::uint64_t generation() const { return generation_; }
  std::size_t settled() const { return evaluations_.size(); }
  /// Changes with every line.
  std::uint64_t rows() const { return rows_; }

  /// {"from", "every", "step": [], "operands": [{"layer", "operand", "bound": [], "low": [], "high": [], "clipped": []}]}
  boost::json::object since(std::size_t from) const;

 private:
  enum Quantity { bound, low, high, clipped, quantities };
  using Values = std::array<float, quantities>;
  struct Evaluation {
    double step = -1;
    std::vector<Values> operands;  ///< by number; shorter where later ones had none yet
  };

  void begin(Cells header);
  void row(Cells cells);
  void close_evaluation();
  std::size_t operand(std::string_view layer, std::string_view name);

  CsvTail tail_;
  std::vector<std::string> header_;
  std::map<std::pair<std::string, std::string>, std::size_t, std::less<>> numbers_;
  std::vector<std::pair<std::string, std::string>> operands_;
  std::vector<Evaluation> evaluations_;  ///< those that are kept, but the last
  Evaluation last_;                      ///< may still grow
  std::uint64_t closed_ = 0, every_ = 1, rows_ = 0, left_out_ = 0, generation_ = 0;
  bool no_table_ = false;
};

}  // namespace qfw::viewer
