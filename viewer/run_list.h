#pragma once

#include <boost/json/object.hpp>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace qfw::viewer {

/// The run folders in a folder and in those below it, `depth` folders deep.
struct FoundRuns {
  static constexpr std::size_t most_entries = 100'000;

  std::vector<std::filesystem::path> runs;                                ///< by name, one that holds others before them
  std::vector<std::pair<std::filesystem::path, std::string>> unreadable;  ///< folders that cannot be listed, and why
  bool complete = true;                                                   ///< false: there were more entries than are looked at
};
/// Below `folder`, which may be a link, none is followed. Never throws for what lies there.
FoundRuns find_runs(const std::filesystem::path& folder, int depth = 6);

/// The runs below a folder, for a watcher. Each keeps the number under which it was first seen.
class RunList {
 public:
  static constexpr std::size_t most_runs = 1000;

  explicit RunList(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Looks again, at most every two seconds.
  void refresh();
  bool empty() const { return runs_.empty(); }
  /// None for a number that no run has.
  std::optional<std::filesystem::path> run(std::size_t number) const;
  /// {"runs": [{"number", "name" and what to_json() says of a RunSummary}], "left_out", "complete"}
  boost::json::object summary() const;

 private:
  std::filesystem::path folder_;
  std::vector<std::filesystem::path> runs_;
  std::map<std::filesystem::path, std::size_t> numbers_;
  std::size_t left_out_ = 0;
  bool complete_ = true;
  std::optional<std::chrono::steady_clock::time_point> looked_;
};

}  // namespace qfw::viewer
