#include "run/report.h"

#include <unistd.h>

#include <boost/json.hpp>
#include <ctime>
#include <fstream>
#include <thread>

#include "io/json.h"

namespace qfw {

namespace {

namespace json = boost::json;

template <class T>
json::value or_null(const std::optional<T>& value) {
  return value ? json::value(*value) : json::value(nullptr);
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

std::string host_name() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "unknown";
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

void write_run_report(const std::filesystem::path& path, const RunReport& report, Session& session) {
  const History& history = report.history;
  json::object object;
  object["description"] = session.recipe().description();
  object["status"] = report.status;
  if (report.error != nullptr) object["error"] = report.error;
  object["steps"] = report.steps;
  object["total_steps"] = session.total_steps();
  object["eval_accuracy"] = or_null(history.eval_accuracy);
  object["eval_loss"] = or_null(history.eval_loss);
  object["best_eval_accuracy"] = or_null(history.best_accuracy);
  object["best_eval_step"] = history.best_accuracy ? json::value(history.best_step) : json::value(nullptr);
  object["best_smoothed_eval_accuracy"] = or_null(history.best_smoothed);
  object["best_smoothed_eval_step"] = history.best_smoothed ? json::value(history.best_smoothed_step) : json::value(nullptr);
  object["smoothing"] = History::smoothing;
  object["first_nan_step"] = or_null(history.first_nan_step);
  object["images_per_second"] = report.images_per_second;
  object["corrupt_examples"] = session.corrupt().count();
  if (session.corrupt().count() > 0) {
    json::array& messages = object["corrupt"].emplace_array();
    for (const std::string& message : session.corrupt().messages()) messages.emplace_back(message);
  }
  json::array& notes = object["notes"].emplace_array();
  for (const auto* said : {&session.recipe().notes(), &report.notes}) {
    for (const std::string& note : *said) notes.emplace_back(note);
  }
  object["backend"] = session.backend().describe();
  object["recipe"] = session.recipe().text();
  write_json(path, object);
}

void write_environment(const std::filesystem::path& path, Session& session) {
  json::object object;
  object["qfw"] = QFW_VERSION;
  object["written"] = now_text();
  object["host"] = host_name();
  object["cpu"] = cpu_model();
  object["cores"] = std::thread::hardware_concurrency();
  object["backend"] = session.backend().describe();
  object["threads"] = session.backend().threads();
  object["compiler"] = __VERSION__;
  write_json(path, object);
}

}  // namespace qfw
