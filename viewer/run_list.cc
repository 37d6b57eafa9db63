#include "viewer/run_list.h"

#include <boost/json.hpp>

#include "io/json.h"
#include "viewer/conform.h"
#include "viewer/folder_files.h"
#include "viewer/life.h"
#include "viewer/run_document.h"
#include "viewer/schemas.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr int deepest = 3;
constexpr std::size_t most_entries = 20'000, most_bytes = 1 << 20;
constexpr std::chrono::seconds interval{2};

struct Record {
  json::object content;
  double modified = 0;
};

/// All null where the file is missing or damaged: the run's own page says more.
Record record(const Folder& folder, std::string_view name, std::span<const Field> fields) {
  Record result;
  std::vector<std::string> faults;
  json::value value = json::object();
  try {
    if (const auto file = folder.open(name); file && file->mark().bytes <= most_bytes) {
      result.modified = file->mark().modified_seconds();
      boost::system::error_code error;
      json::value read = json::parse(file->read(0, most_bytes), error);
      if (!error) value = std::move(read);
    }
  } catch (const FileProblem&) {
  }
  result.content = conform(value, fields, faults);
  return result;
}

json::value first_of(const json::value& a, const json::value& b) { return a.is_null() ? b : a; }

double modified(const Folder& folder, std::string_view name) try {
  const auto file = folder.open(name);
  return file ? file->mark().modified_seconds() : 0;
} catch (const FileProblem&) {
  return 0;
}

json::object summary_of(const fs::path& path) {
  const Folder folder(path);
  Record status = record(folder, "status.json", status_fields()), report = record(folder, "report.json", report_fields());
  const double series = modified(folder, "series.csv");
  const Traces traces{
      .status = &status.content, .report = &report.content, .report_modified = report.modified, .series_modified = series};
  const json::object &now = status.content, &end = report.content;
  return {{"description", end.at("description")},
          {"state", life_of(folder, traces).state},
          {"step", first_of(now.at("step"), end.at("steps"))},
          {"total_steps", first_of(now.at("total_steps"), end.at("total_steps"))},
          {"accuracy", first_of(now.at("eval_accuracy"), end.at("eval_accuracy"))},
          {"best", first_of(now.at("best_accuracy"), end.at("best_eval_accuracy"))},
          {"changed", std::max({status.modified, report.modified, series})}};
}

}  // namespace

void RunList::refresh() {
  const auto now = std::chrono::steady_clock::now();
  if (looked_ && now - *looked_ < interval) return;
  looked_ = now;
  left_out_ = 0;
  search(folder_, 1);
}

void RunList::search(const fs::path& folder, int depth) {
  std::error_code error;
  std::size_t entries = 0;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && entries < most_entries;
       it.increment(error), ++entries) {
    std::error_code unknown;
    if (it->symlink_status(unknown).type() != fs::file_type::directory || unknown) continue;
    if (!RunReader::is_run(it->path())) {
      if (depth < deepest) search(it->path(), depth + 1);
    } else if (!numbers_.contains(it->path())) {
      if (runs_.size() == most_runs) {
        ++left_out_;
        continue;
      }
      numbers_[it->path()] = runs_.size();
      runs_.push_back(it->path());
    }
  }
}

std::optional<fs::path> RunList::run(std::size_t number) const {
  return number < runs_.size() ? std::optional(runs_[number]) : std::nullopt;
}

json::object RunList::summary() const {
  json::array all;
  for (std::size_t i = 0; i < runs_.size(); ++i) {
    if (!RunReader::is_run(runs_[i])) continue;  // taken away
    json::object row{{"number", i}, {"name", json_in_utf8(runs_[i].lexically_relative(folder_).string())}};
    for (auto& [key, value] : summary_of(runs_[i])) row[key] = value;
    all.push_back(std::move(row));
  }
  return {{"runs", std::move(all)}, {"left_out", left_out_}};
}

}  // namespace qfw::viewer
