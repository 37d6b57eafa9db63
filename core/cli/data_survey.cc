#include "data_survey.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "data_tools/survey.h"
#include "io/json.h"
#include "io/printable.h"
#include "layout.h"
#include "util/counted.h"

namespace qfw {

namespace {

boost::json::value shape_json(const Shape& shape) {
  if (shape.rank() == 0) return nullptr;
  return boost::json::array(shape.begin(), shape.end());
}

std::string size_text(std::int64_t bytes) {
  return bytes < 10 << 20 ? fmt::format("{:.1f} KiB", static_cast<double>(bytes) / 1024)
                          : fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

std::string unlabelled_text(const Survey& found) {
  return found.unlabelled > 0 ? fmt::format(", {} unlabelled", found.unlabelled) : "";
}

/// Names of classes as keys of JSON: those that several classes share tell which one each is.
std::vector<std::string> class_keys(const Dataset& dataset) {
  std::map<std::string, int> uses;
  std::vector<std::string> keys;
  for (std::int64_t label = 0; label < dataset.classes(); ++label) ++uses[keys.emplace_back(dataset.class_name(label))];
  for (std::size_t label = 0; label < keys.size(); ++label) {
    if (uses[keys[label]] > 1) keys[label] += fmt::format(" (label {})", label);
  }
  return keys;
}

/// What the data set notes, and what the counts show.
std::vector<std::string> notes_on(const Dataset& dataset, std::string_view split, const Survey& found) {
  std::vector<std::string> notes = dataset.notes(split);
  const auto empty = std::ranges::count(found.histogram, 0);
  if (notes.empty() && empty > 0 && split == "train")
    notes.push_back(fmt::format("{} of {} classes have no example in split {}", empty, found.histogram.size(), split));
  return notes;
}

/// One line, wherever a name has a break.
std::string indented(const std::string& text) { return wrapped(printable(text), output_width(unlimited), 2, 2); }

std::string class_table(const SurveyJob& job, const std::vector<std::vector<std::int64_t>>& histograms) {
  constexpr std::size_t least_name = 8;
  const std::size_t width = output_width(unlimited);
  std::vector<Column> columns = {{.heading = "label", .numbers = true}, {.heading = "class"}};
  for (const std::string& split : job.splits) columns.push_back({.heading = split, .numbers = true});
  for (std::int64_t label = 0; label < job.dataset.classes(); ++label) {
    columns[0].cells.push_back(std::to_string(label));
    columns[1].cells.push_back(printable(job.dataset.class_name(label)));
    for (std::size_t i = 0; i < histograms.size(); ++i) {
      columns[i + 2].cells.push_back(std::to_string(histograms[i][static_cast<std::size_t>(label)]));
    }
  }
  const std::size_t others = width_of(columns) - columns[1].width(), room = width - std::min(width, others);
  if (room >= least_name) {
    for (std::string& name : columns[1].cells) name = shortened(name, room);
  }
  return table(columns, width);
}

}  // namespace

int print_info(const SurveyJob& job) {
  boost::json::object splits;
  const std::size_t width = output_width(unlimited);
  const std::string head = fmt::format("{}: {}, images {}", job.name, counted(job.dataset.classes(), "class", "classes"),
                                       job.dataset.shape().rank() == 3 ? job.dataset.shape().str() : "of various sizes");
  std::string text = wrapped(head, width, 0, 4);
  std::vector<std::vector<std::int64_t>> histograms;
  const std::vector<std::string> keys = class_keys(job.dataset);
  for (const std::string& split : job.splits) {
    const Survey found = survey(job.dataset, split, Depth::read, job.workers);
    boost::json::object encodings, classes;
    std::vector<std::string> kinds;
    for (const auto& [name, count] : found.encodings) {
      encodings[name] = count;
      kinds.push_back(fmt::format("{} {}", count, name));
    }
    for (std::size_t i = 0; i < found.histogram.size(); ++i) classes[keys[i]] = found.histogram[i];
    const std::vector<std::string> notes = notes_on(job.dataset, split, found);
    splits[split] = {{"records", found.records},
                     {"bytes", found.bytes},
                     {"bad", found.bad},
                     {"unlabelled", found.unlabelled},
                     {"encodings", std::move(encodings)},
                     {"classes", std::move(classes)},
                     {"notes", boost::json::array(notes.begin(), notes.end())}};
    const std::string line = fmt::format("{}: {}, {}, {}{}{}", split, counted(found.records, "record"), size_text(found.bytes),
                                         fmt::join(kinds, ", "), unlabelled_text(found),
                                         found.bad > 0 ? fmt::format(", {} that cannot be read", found.bad) : "");
    text += wrapped(line, width, 0, 4);
    for (const std::string& note : notes) text += indented("note: " + note);
    histograms.push_back(found.histogram);
  }
  if (job.json) {
    fmt::print("{}", json_pretty(boost::json::object{{"name", job.name},
                                                     {"classes", job.dataset.classes()},
                                                     {"shape", shape_json(job.dataset.shape())},
                                                     {"splits", std::move(splits)}}));
    return 0;
  }
  print_text(text + "\n" + class_table(job, histograms));
  return 0;
}

int print_verification(const SurveyJob& job) {
  boost::json::object splits;
  std::int64_t bad = 0;
  for (const std::string& split : job.splits) {
    const Survey found = survey(job.dataset, split, Depth::decode, job.workers);
    const std::vector<std::string> notes = notes_on(job.dataset, split, found);
    bad += found.bad;
    splits[split] = {{"records", found.records},
                     {"bad", found.bad},
                     {"unlabelled", found.unlabelled},
                     {"errors", boost::json::array(found.errors.begin(), found.errors.end())},
                     {"notes", boost::json::array(notes.begin(), notes.end())}};
    if (job.json) continue;
    fmt::print("{}: {}, {} bad{}\n", split, counted(found.records, "record"), found.bad, unlabelled_text(found));
    for (const std::string& note : notes) print_text(indented("note: " + note));
    for (const std::string& error : found.errors) print_text(indented(error));
    if (const auto shown = static_cast<std::int64_t>(found.errors.size()); found.bad > shown)
      fmt::print("  ... and {} more\n", found.bad - shown);
  }
  if (job.json) fmt::print("{}", json_pretty(boost::json::object{{"splits", std::move(splits)}}));
  return bad > 0 ? 1 : 0;
}

}  // namespace qfw
