#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <vector>

namespace qfw::viewer {

/// The runs below a folder. Each keeps the number under which it was first seen; links are not followed.
class RunList {
 public:
  static constexpr std::size_t most_runs = 1000;

  explicit RunList(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Looks again, at most every two seconds.
  void refresh();
  bool empty() const { return runs_.empty(); }
  /// None for a number that no run has.
  std::optional<std::filesystem::path> run(std::size_t number) const;
  /// {"runs": [{"number", "name", "description", "state", "step", "total_steps", "accuracy", "best", "changed"}], "left_out"}
  boost::json::object summary() const;

 private:
  void search(const std::filesystem::path& folder, int depth);

  std::filesystem::path folder_;
  std::vector<std::filesystem::path> runs_;
  std::map<std::filesystem::path, std::size_t> numbers_;
  std::size_t left_out_ = 0;
  std::optional<std::chrono::steady_clock::time_point> looked_;
};

}  // namespace qfw::viewer
