#include "run/report.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <ctime>
#include <fstream>
#include <thread>

#include "io/json.h"
#include "run/implementations.h"
#include "util/host.h"
#include "util/version.h"

namespace qfw {

namespace {

namespace json = boost::json;

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc);
  return text;
}

}  // namespace

void write_run_report(const RunView& run, Ending ending, const std::string& error) {
  const History& history = run.history;
  const Session& session = run.session;
  json::object object;
  object["description"] = session.recipe().description();
  object["status"] = name_of(ending);
  if (!error.empty()) object["error"] = error;
  object["steps"] = run.completed;
  object["total_steps"] = session.total_steps();
  object["eval_accuracy"] = or_null(history.eval_accuracy);
  object["eval_loss"] = or_null(history.eval_loss);
  object["best_eval_accuracy"] = or_null(history.best_accuracy);
  object["best_eval_step"] = history.best_accuracy ? json::value(history.best_step) : json::value(nullptr);
  object["best_smoothed_eval_accuracy"] = or_null(history.best_smoothed);
  object["best_smoothed_eval_step"] = history.best_smoothed ? json::value(history.best_smoothed_step) : json::value(nullptr);
  object["smoothing"] = History::smoothing;
  object["first_nan_step"] = or_null(history.first_nan_step);
  object["images_per_second"] = run.speed.average > 0 ? json::value(run.speed.average) : json::value(nullptr);  // made again
  object["cores"] = or_null(run.speed.cores);
  object["peak_share"] = or_null(run.speed.peak_share());
  std::error_code unknown;
  const bool series = std::filesystem::exists(run.folder.series(), unknown);
  object["series"] = series ? json::value(run.folder.series().filename().string()) : json::value(nullptr);
  object["corrupt_examples"] = session.corrupt().count();
  if (session.corrupt().count() > 0) {
    json::array& messages = object["corrupt"].emplace_array();
    for (const std::string& message : session.corrupt().messages()) messages.emplace_back(message);
  }
  json::array& notes = object["notes"].emplace_array();
  for (const auto* said : {&session.recipe().notes(), &run.notes}) {
    for (const std::string& note : *said) notes.emplace_back(note);
  }
  if (history.skipped_steps > 0) {
    notes.emplace_back(fmt::format("{} of {} steps changed nothing but the loss scale: gradients were beyond the range of f16",
                                   history.skipped_steps, run.completed));
  }
  object["backend"] = session.backend().describe();
  object["recipe"] = session.recipe().text();
  write_json(run.folder.report(), object);
}

bool report_says_finished(const RunFolder& folder, std::int64_t steps) try {
  const auto report = read_json(folder.report());
  return report.at("status") == name_of(Ending::finished) && report.at("steps").to_number<std::int64_t>() == steps;
} catch (const std::exception&) {
  return false;
}

void write_environment(const std::filesystem::path& path, Session& session) {
  json::object object;
  object["qfw"] = version();
  object["written"] = now_text();
  object["host"] = host_name();
  object["cpu"] = cpu_model();
  object["cores"] = std::thread::hardware_concurrency();
  object["backend"] = session.backend().describe();
  object["threads"] = session.backend().threads();
  object["compiler"] = __VERSION__;
  object["training_steps"] = recorded_implementations(path);  // of earlier starts, until they are compiled again
  write_json(path, object);
}

}  // namespace qfw
