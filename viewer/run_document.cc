#include "viewer/run_document.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <ctime>
#include <random>

#include "io/json.h"
#include "recipe/gather.h"
#include "recipe/recorded.h"
#include "viewer/schemas.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::uint64_t mebibyte = 1 << 20;
constexpr std::string_view traces_of_runs[] = {"setup.json", "status.json", "report.json", "series.csv"};

template <RecordFile (*file)()>
json::value parse_record(const std::string& text, std::vector<std::string>& faults) {
  return conform(parse_json(text), file().fields, faults);
}

json::value parse_recipe(const std::string& text, std::vector<std::string>& faults) {
  if (const std::string fault = recipe::recorded_recipe(text).fault; !fault.empty()) faults.push_back(fault);
  return json::string(json_in_utf8(text));
}

/// Whatever single values it holds: what a machine says of itself differs.
json::value parse_environment(const std::string& text, std::vector<std::string>& faults) {
  const json::value value = parse_json(text);
  json::object result;
  if (!value.is_object()) {
    faults.emplace_back("it holds no object");
    return result;
  }
  for (const auto& [key, item] : value.get_object()) {
    if (!item.is_structured()) result[key] = item;
  }
  return result;
}

/// Another one for each reader: a cursor of before the watcher was started anew means nothing to it.
std::uint64_t fresh_number() {
  std::random_device source;
  return (std::uint64_t{source()} << 16 | 1) & 0xffff'ffff'ffff;  // whole numbers that JavaScript knows
}

json::value text_or_null(const std::string& text) { return text.empty() ? json::value(nullptr) : json::value(text); }

json::object file_entry(std::string_view name, const std::optional<FileMark>& mark, const std::string& problem) {
  json::object entry{{"name", name}, {"read", mark && problem.empty()}, {"there", mark.has_value() || !problem.empty()}};
  entry["bytes"] = mark ? json::value(mark->bytes) : json::value(nullptr);
  entry["modified"] = mark ? json::value(mark->modified_seconds()) : json::value(nullptr);
  entry["problem"] = text_or_null(problem);
  return entry;
}

}  // namespace

std::string Cursor::text() const {
  return fmt::format("{}.{}.{}.{}.{}.{}.{}.{}.{}", reader, training_generation, training, evaluation_generation, evaluations,
                     layer_generation, layers, layer_rows, fmt::join(revisions, "."));
}

std::optional<Cursor> Cursor::parse(std::string_view text) {
  Cursor cursor;
  std::vector<std::uint64_t*> numbers = {
      &cursor.reader,      &cursor.training_generation, &cursor.training, &cursor.evaluation_generation,
      &cursor.evaluations, &cursor.layer_generation,    &cursor.layers,   &cursor.layer_rows};
  for (std::uint64_t& revision : cursor.revisions) numbers.push_back(&revision);
  const char* position = text.data();
  const char* const end = position + text.size();
  for (std::uint64_t* number : numbers) {
    const auto [after, error] = std::from_chars(position, end, *number);
    const bool last = number == numbers.back();
    if (error != std::errc() || (last ? after != end : after == end || *after != '.')) return std::nullopt;
    position = last ? after : after + 1;
  }
  return cursor;
}

RunReader::RunReader(fs::path folder)
    : number_(fresh_number()),
      folder_(std::move(folder)),
      whole_{{
          {setup_file().name, "setup", setup_file().most_bytes, parse_record<setup_file>},
          {status_file().name, "status", status_file().most_bytes, parse_record<status_file>},
          {report_file().name, "report", report_file().most_bytes, parse_record<report_file>},
          {evaluation_file().name, "evaluation", evaluation_file().most_bytes, parse_record<evaluation_file>},
          {"environment.json", "environment", mebibyte, parse_environment},
          {"recipe.ini", "recipe", recipe::most_recipe_bytes, parse_recipe},
      }} {}

bool RunReader::is_run(const fs::path& folder) {
  const auto is_there = [&](std::string_view name) {
    std::error_code error;
    const fs::file_status status = fs::symlink_status(folder / name, error);
    return fs::exists(status) && !fs::is_symlink(status);
  };
  return std::ranges::any_of(traces_of_runs, is_there) || (is_there("recipe.ini") && is_there("checkpoints"));
}

void RunReader::refresh(Whole& file) {
  std::optional<FileMark> mark;
  json::value content;
  std::string problem;
  try {
    const auto open = folder_.open(file.name);
    if (open) mark = open->mark();
    if (mark && mark == file.mark) return;
    std::vector<std::string> faults;
    if (open) content = file.parse(open->read_whole(file.most_bytes), faults);
    problem = fmt::format("{}", fmt::join(faults, "; "));
  } catch (const FileProblem& error) {
    problem = error.what();
  }
  if (mark == file.mark && problem == file.problem) return;
  file.mark = mark;
  file.content = std::move(content);
  file.problem = std::move(problem);
  ++file.revision;
}

template <class Course>
void RunReader::refresh(Course& course, Followed& file) {
  file = {};
  try {
    if (const auto open = course.refresh(folder_)) file.mark = open->mark();
    file.problem = course.problem();
    file.ending = course.ending();
  } catch (const FileProblem& error) {
    file.problem = error.what();
  }
}

const json::object* RunReader::object_in(std::string_view part) const {
  for (const Whole& file : whole_) {
    if (file.part == part && file.content.is_object()) return &file.content.get_object();
  }
  return nullptr;
}

void RunReader::refresh() {
  for (Whole& file : whole_) refresh(file);
  refresh(series_, series_file_);
  refresh(layers_, layers_file_);
  Traces traces{.status = object_in("status"), .report = object_in("report")};
  for (const Whole& file : whole_) {
    if (file.part == "report" && file.mark) traces.report_modified = file.mark->modified_seconds();
  }
  if (series_file_.mark) traces.series_modified = series_file_.mark->modified_seconds();
  life_ = life_of(folder_, traces);
  others_ = faults_of_checkpoints(folder_, life_.checkpoint);
  for (NamedFault& each : faults_of_kind(folder_)) others_.push_back(std::move(each));
  for (const std::string& problem : life_.problems) others_.push_back({"checkpoints", problem});
}

/// A table that a process is writing to may be seen before its line is whole.
std::string RunReader::problem_of(const Followed& file) const {
  if (file.ending.empty() || life_.alive.value_or(false)) return file.problem;
  return file.problem.empty() ? file.ending : file.problem + "; " + file.ending;
}

std::vector<std::string> RunReader::problems() const {
  std::vector<std::string> all;
  for (const json::value& file : files()) {
    if (const json::value& problem = file.at("problem"); problem.is_string())
      all.push_back(fmt::format("{}: {}", file.at("name").get_string().c_str(), problem.get_string().c_str()));
  }
  return all;
}

json::array RunReader::files() const {
  json::array result;
  for (const Whole& file : whole_) result.push_back(file_entry(file.name, file.mark, file.problem));
  result.push_back(file_entry("series.csv", series_file_.mark, problem_of(series_file_)));
  result.push_back(file_entry("layers.csv", layers_file_.mark, problem_of(layers_file_)));
  for (const NamedFault& each : others_) result.push_back(file_entry(each.name, {}, each.fault));
  return result;
}

json::object RunReader::state() const {
  return {
      {"name", life_.state}, {"alive", or_null(life_.alive)}, {"step", or_null(life_.step)}, {"why", text_or_null(life_.why)}};
}

json::object RunReader::changes_since(const Cursor& known) const {
  const bool same = known.reader == number_;
  Cursor next{.reader = number_};
  std::error_code error;
  const fs::path absolute = fs::weakly_canonical(folder(), error);
  json::object result{{"name", json_in_utf8((error ? folder() : absolute).filename().string())},
                      {"folder", json_in_utf8(folder().string())},
                      {"read", static_cast<std::int64_t>(std::time(nullptr))},
                      {"state", state()},
                      {"files", files()}};
  for (std::size_t i = 0; i < whole_.size(); ++i) {
    next.revisions[i] = whole_[i].revision;
    if (!same || known.revisions[i] != whole_[i].revision) result[whole_[i].part] = whole_[i].content;
  }
  const auto course = [&](const Course& from, std::uint64_t generation, std::uint64_t points) {
    return from.since(same && generation == from.generation() ? points : 0);
  };
  next.training_generation = series_.training().generation();
  next.training = series_.training().settled();
  next.evaluation_generation = series_.evaluations().generation();
  next.evaluations = series_.evaluations().settled();
  result["training"] = course(series_.training(), known.training_generation, known.training);
  result["evaluations"] = course(series_.evaluations(), known.evaluation_generation, known.evaluations);
  next.layer_generation = layers_.generation();
  next.layers = layers_.settled();
  next.layer_rows = layers_.rows();
  const bool same_layers = same && known.layer_generation == next.layer_generation;
  if (!same_layers || known.layer_rows != next.layer_rows) result["layers"] = layers_.since(same_layers ? known.layers : 0);
  result["cursor"] = next.text();
  return result;
}

}  // namespace qfw::viewer
