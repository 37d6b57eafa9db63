#include "viewer/run_list.h"

#include <algorithm>
#include <boost/json.hpp>

#include "viewer/run_document.h"
#include "viewer/run_summary.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::chrono::seconds interval{2};

void search(const fs::path& folder, int depth, std::size_t& entries, FoundRuns& found) {
  const bool is_run = RunReader::is_run(folder);
  if (is_run) found.runs.push_back(folder);
  if (depth == 0) return;
  std::error_code error;
  std::vector<fs::path> below;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    if (entries == FoundRuns::most_entries) {
      found.complete = false;
      break;
    }
    ++entries;
    std::error_code unknown;
    const bool of_the_run = is_run && it->path().filename() == "checkpoints";
    if (it->symlink_status(unknown).type() == fs::file_type::directory && !of_the_run) below.push_back(it->path());
  }
  if (error && error != std::errc::no_such_file_or_directory && !is_run) found.unreadable.emplace_back(folder, unlisted(error));
  std::ranges::sort(below);
  for (const fs::path& each : below) search(each, depth - 1, entries, found);
}

}  // namespace

FoundRuns find_runs(const fs::path& folder, int depth) {
  FoundRuns found;
  std::size_t entries = 0;
  search(folder, depth, entries, found);
  return found;
}

void RunList::refresh() {
  const auto now = std::chrono::steady_clock::now();
  if (looked_ && now - *looked_ < interval) return;
  looked_ = now;
  left_out_ = 0;
  const FoundRuns found = find_runs(folder_);
  complete_ = found.complete;
  for (const fs::path& run : found.runs) {
    if (numbers_.contains(run)) continue;
    if (runs_.size() == most_runs) {
      ++left_out_;
      continue;
    }
    numbers_[run] = runs_.size();
    runs_.push_back(run);
  }
}

std::optional<fs::path> RunList::run(std::size_t number) const {
  return number < runs_.size() ? std::optional(runs_[number]) : std::nullopt;
}

json::object RunList::summary() const {
  json::array all;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (!RunReader::is_run(runs_[i])) continue;  // taken away
    json::object row{{"number", i}, {"name", runs_[i].lexically_relative(folder_).string()}};
    for (auto& [key, value] : to_json(summary_of(runs_[i]))) row[key] = value;
    all.push_back(std::move(row));
  }
  return {{"runs", std::move(all)}, {"left_out", left_out_}, {"complete", complete_}};
}

}  // namespace qfw::viewer
