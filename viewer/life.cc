#include "viewer/life.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <ctime>
#include <fstream>

namespace qfw::viewer {

namespace {

namespace json = boost::json;

constexpr double slack = 2;   // seconds: what clocks of files and of processes may differ by
constexpr double fresh = 10;  // seconds: a status of that age was written by a living process

struct Owner {
  std::int64_t pid = 0;
  double since = 0;  ///< it was running then
};

/// The process that has the lock of the run's folder, or had it last.
std::optional<Owner> owner_of(const Folder& folder) try {
  const auto lock = folder.open(".lock");
  if (!lock) return std::nullopt;
  const std::string text = lock->read(0, 32);
  Owner owner{.since = lock->mark().modified_seconds()};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), owner.pid);
  if (error != std::errc() || owner.pid <= 0) return std::nullopt;
  return owner;
} catch (const FileProblem&) {
  return std::nullopt;
}

double boot_time() {
  std::ifstream file("/proc/stat");
  for (std::string key; file >> key;) {
    double value = 0;
    if (key == "btime" && file >> value) return value;
    std::getline(file, key);
  }
  return 0;
}

/// When a process of this machine was started, in seconds since 1970; none if there is no such process.
std::optional<double> start_of(std::int64_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string text;
  if (!std::getline(file, text)) return std::nullopt;
  const std::size_t name_end = text.rfind(')');  // the name before it may hold anything
  if (name_end == std::string::npos || name_end + 2 >= text.size()) return std::nullopt;
  if (text[name_end + 2] == 'Z') return std::nullopt;
  std::size_t begin = name_end + 2;
  for (int field = 3; field < 22; ++field) begin = text.find(' ', begin) + 1;
  double ticks = 0;
  std::from_chars(text.data() + begin, text.data() + text.size(), ticks);
  return boot_time() + ticks / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// A later process may have the same number.
bool lives(const Owner& owner) {
  const auto start = start_of(owner.pid);
  return start && *start <= owner.since + slack;
}

std::string host_name() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

std::string text_of(const json::object* object, std::string_view key) {
  const json::value* value = object == nullptr ? nullptr : object->if_contains(key);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

double number_of(const json::object* object, std::string_view key) {
  const json::value* value = object == nullptr ? nullptr : object->if_contains(key);
  return value != nullptr && value->is_number() ? value->to_number<double>() : 0;
}

bool is_end(std::string_view state) {
  return state == "finished" || state == "interrupted" || state == "diverged" || state == "failed";
}

/// An end that was reported since the process that has the lock took it, and after anything that it said of its state: the page
/// of a run is made while it has the lock.
bool is_reported(const std::optional<Owner>& owner, const Traces& traces) {
  if (!owner || !is_end(text_of(traces.report, "status"))) return false;
  return traces.report_modified >= owner->since && traces.report_modified >= number_of(traces.status, "written");
}

Life without_status(const std::optional<Owner>& owner, const Traces& traces) {
  const std::string ended = text_of(traces.report, "status");
  if (owner && lives(*owner)) return {"running", true, fmt::format("process {} has the folder", owner->pid)};
  const bool went_on = traces.series_modified > traces.report_modified + slack;
  if (is_end(ended) && !went_on) return {ended, false, "report.json"};
  if (traces.series_modified > 0 || owner) return {"killed", false, "its process is gone, and it did not report an end"};
  return {"unknown", std::nullopt, "there is neither status.json nor report.json"};
}

}  // namespace

Life life_of(const Folder& folder, const Traces& traces) {
  auto owner = owner_of(folder);
  const std::string state = text_of(traces.status, "state");
  if (is_reported(owner, traces) && !is_end(state)) return {text_of(traces.report, "status"), false, "report.json"};
  if (state.empty()) return without_status(owner, traces);
  const double written = number_of(traces.status, "written"), age = static_cast<double>(std::time(nullptr)) - written;
  const std::string host = text_of(traces.status, "host");
  const bool here = host.empty() || host == host_name();
  if (is_end(state)) {
    if (here && owner && owner->since > written + slack && lives(*owner))
      return {"starting", true, "it has been started again"};
    return {state, false, "status.json"};
  }
  if (age < fresh) return {state, true, "status.json"};
  if (!here) {
    return {state, std::nullopt,
            fmt::format("it runs on {}, whose processes cannot be seen here; nothing new for {:.0f} s", host, age)};
  }
  if (!owner) owner = Owner{.pid = static_cast<std::int64_t>(number_of(traces.status, "pid")), .since = written};
  if (lives(*owner)) return {state, true, fmt::format("process {}", owner->pid)};
  return {"killed", false, fmt::format("process {} is gone, and it did not report an end", owner->pid)};
}

}  // namespace qfw::viewer
