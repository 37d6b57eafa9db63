#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <ctime>
#include <tuple>
#include <vector>

#include "io/json.h"
#include "io/log.h"
#include "io/printable.h"
#include "layout.h"
#include "qfw/error.h"
#include "verbs.h"
#include "viewer/run_list.h"
#include "viewer/run_summary.h"

namespace qfw {
namespace {

using viewer::RunSummary;

/// The one that was written last comes last, equals by name.
std::vector<RunSummary> summaries_of(const viewer::FoundRuns& found) {
  std::vector<RunSummary> runs;
  for (const auto& folder : found.runs) runs.push_back(viewer::summary_of(folder));
  for (const auto& [folder, why] : found.unreadable) {
    RunSummary& closed = runs.emplace_back();
    closed.folder = folder;
    closed.problems.push_back(fmt::format("the folder cannot be listed: {}", why));
  }
  std::ranges::stable_sort(runs, [](const RunSummary& a, const RunSummary& b) {
    return std::tie(a.written, a.folder) < std::tie(b.written, b.folder);
  });
  return runs;
}

void print_json(const std::vector<RunSummary>& runs) {
  boost::json::array list;
  for (const RunSummary& run : runs) {
    boost::json::object& row = list.emplace_back(boost::json::object{{"folder", run.folder.string()}}).get_object();
    for (auto& [key, value] : viewer::to_json(run)) row[key] = value;
  }
  fmt::print("{}", json_pretty(list));
}

std::string of_total(const std::string& part, const std::string& whole) {
  if (part.empty()) return "";
  return whole.empty() ? part : part + "/" + whole;
}

std::string whole(const std::optional<std::int64_t>& number) { return number ? std::to_string(*number) : ""; }
std::string percent(const std::optional<double>& share) { return share ? fmt::format("{:.2f}", 100 * *share) : ""; }

std::string time_text(std::int64_t seconds) {
  if (seconds == 0) return "";
  const std::time_t time = seconds;
  std::tm local{};
  localtime_r(&time, &local);
  char text[32];
  return std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local) > 0 ? text : "";
}

struct Heading {
  std::string_view text;
  bool numbers;  ///< to the right
  int rank;      ///< the highest goes first where there is no room
};

/// In this order.
constexpr std::array<Heading, 10> headings = {{{"RUN", false, 0},
                                               {"STATE", false, 1},
                                               {"STEP", true, 2},
                                               {"EPOCH", true, 7},
                                               {"LAST %", true, 4},
                                               {"BEST %", true, 3},
                                               {"AT STEP", true, 6},
                                               {"IMAGES/S", true, 8},
                                               {"WRITTEN", false, 5},
                                               {"DESCRIPTION", false, 9}}};

int rank_of(const Column& column) { return std::ranges::find(headings, column.heading, &Heading::text)->rank; }

std::vector<Column> columns_for(const std::vector<RunSummary>& runs) {
  std::vector<Column> columns;
  for (const Heading& each : headings) {
    columns.push_back({.heading = std::string(each.text), .numbers = each.numbers, .long_text = each.text == "DESCRIPTION"});
  }
  for (const RunSummary& run : runs) {
    const std::string epoch = run.epoch ? fmt::format("{:.1f}", *run.epoch) : "";
    const std::string epochs = run.epochs ? fmt::format("{:g}", *run.epochs) : "";
    const std::array<std::string, 10> cells = {run.folder.string(),
                                               run.state_text(),
                                               of_total(whole(run.step), whole(run.total_steps)),
                                               of_total(epoch, epochs),
                                               percent(run.accuracy),
                                               percent(run.best_accuracy),
                                               whole(run.best_step),
                                               run.images_per_second ? fmt::format("{:.0f}", *run.images_per_second) : "",
                                               time_text(run.written),
                                               run.description};
    for (std::size_t i = 0; i < cells.size(); ++i) columns[i].cells.push_back(printable(cells[i]));
  }
  return columns;
}

/// Descriptions become shorter, then whole columns go, but not those without which a line says little.
void fit(std::vector<Column>& columns, std::size_t width) {
  constexpr std::size_t least_description = 20, least_columns = 4;
  Column& last = columns.back();
  if (width_of(columns) > width && last.long_text) {
    const std::size_t others = width_of(columns) - last.width();
    const std::size_t left = others + least_description > width ? least_description : width - others;
    for (std::string& cell : last.cells) cell = shortened(cell, left);
  }
  while (width_of(columns) > width && columns.size() > least_columns) {
    columns.erase(std::ranges::max_element(columns, {}, rank_of));
  }
}

void print_table(const std::vector<RunSummary>& runs) {
  const std::size_t width = output_width();
  std::vector<Column> columns = columns_for(runs);
  std::erase_if(columns, [](const Column& column) {  // nobody has anything to say there
    return rank_of(column) > 1 && std::ranges::all_of(column.cells, &std::string::empty);
  });
  std::vector<Column> fitted = columns;
  fit(fitted, width);
  const TableText text = table_text(width_of(fitted) <= width ? fitted : columns, width);
  fmt::print("{}", text.heading);
  for (std::size_t i = 0; i < runs.size(); ++i) {
    fmt::print("{}", text.rows[i]);
    for (const std::string& problem : runs[i].problems) fmt::print("{}", wrapped(printable(problem), width, 4));
  }
}

int run(const Arguments& arguments, const Catalog&) {
  namespace fs = std::filesystem;
  const bool chosen = !arguments.positional.empty();
  const fs::path folder = chosen ? arguments.positional[0] : "runs";
  std::error_code error;
  if (chosen && !fs::is_directory(folder, error)) {
    fail(Error::Category::usage, "runs", fmt::format("there is no folder {}", folder.string()), {},
         "name one that holds run folders; without a name it is runs");
  }
  const viewer::FoundRuns found = viewer::find_runs(folder);
  const std::vector<RunSummary> runs = summaries_of(found);
  if (!found.complete) {
    logger().warn("{} holds more than {} files and folders; not all were looked at: name a folder below it",
                  printable(folder.string()), viewer::FoundRuns::most_entries);
  }
  if (arguments.has("json")) {
    print_json(runs);
  } else if (runs.empty()) {
    fmt::print("there are no runs in {}; `qfw run RECIPE` makes one\n", printable(folder.string()));
  } else {
    print_table(runs);
  }
  return 0;
}

}  // namespace

Verb runs_verb() {
  Verb verb;
  verb.name = "runs";
  verb.positional = "[FOLDER]";
  verb.max_positional = 1;
  verb.summary = "list the runs below a folder (runs): state, step, accuracy, speed";
  verb.doc =
      "The run that was written last comes last. STATE is what a running one does, how an ended one ended, or killed: it was\n"
      "at work and is no more; unfinished is one of an earlier version, which does not say how it ended; damaged one with a "
      "file\n"
      "that is not whole. Accuracies are in percent, LAST of the newest evaluation. Links are not followed. Columns that have "
      "no\n"
      "room are left out; --json has everything. Where there is room for hardly any, each run has lines of its own.";
  verb.options = {{"json", "", "print JSON"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
