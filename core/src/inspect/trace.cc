#include "inspect/trace.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <utility>

#include "io/json.h"

namespace qfw {

namespace {

namespace json = boost::json;
using Clock = std::chrono::steady_clock;

constexpr int process = 1;

json::object metadata(const char* name, int row, json::object arguments) {
  return {{"ph", "M"}, {"name", name}, {"pid", process}, {"tid", row}, {"args", std::move(arguments)}};
}

double microseconds(Clock::duration duration) { return std::chrono::duration<double, std::micro>(duration).count(); }

json::object complete(const std::string& name, const char* category, int row, Clock::time_point origin, Clock::time_point begin,
                      Clock::time_point end) {
  return {{"ph", "X"},
          {"name", name},
          {"cat", category},
          {"pid", process},
          {"tid", row},
          {"ts", microseconds(begin - origin)},
          {"dur", microseconds(end - begin)}};
}

json::object arguments_of(const TaskRow& row, double seconds) {
  json::object arguments{{"layer", row.layer}, {"part", name_of(row.part)}};
  if (!row.task.implementation.empty()) arguments["implementation"] = row.task.implementation;
  if (!row.shapes.empty()) arguments["shapes"] = row.shapes;
  if (row.task.bytes > 0) {
    arguments["bytes"] = row.task.bytes;
    if (seconds > 0) arguments["GB/s"] = static_cast<double>(row.task.bytes) / 1e9 / seconds;
  }
  if (row.multiplications > 0) {
    arguments["multiplications"] = row.multiplications;
    if (seconds > 0) arguments["G multiplications/s"] = row.multiplications / 1e9 / seconds;
  }
  return arguments;
}

}  // namespace

TraceFile::TraceFile(const std::filesystem::path& file, std::string title) : file_(file), title_(std::move(title)) {}

void TraceFile::write(const std::vector<Step>& steps, const std::vector<Replica>& replicas) {
  bool first = true;
  // One event a line, each written when it is made: traces have hundreds of thousands.
  const auto add = [&](const json::object& event) {
    file_.write(first ? "\n" : ",\n");
    file_.write(json_line(event));
    first = false;
  };
  file_.write("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [");
  add(metadata("process_name", 0, {{"name", title_}}));
  for (std::size_t i = 0; i < replicas.size(); ++i) {
    const Replica& replica = replicas[i];
    const int row = 2 * static_cast<int>(i) + 1, exchange_row = row + 1;
    const std::string name = fmt::format("replica {}", replica.rank);
    add(metadata("thread_name", row, {{"name", name}}));
    add(metadata("thread_sort_index", row, {{"sort_index", row}}));
    bool exchanges = false;
    for (std::size_t step = 0; step < steps.size(); ++step) {
      const auto& [begin, end] = steps[step];
      const Clock::time_point origin = steps.front().begin;
      add(complete(fmt::format("step {}", step + 1), "step", row, origin, begin, end));
      const auto& intervals = (*replica.runs)[step];
      for (std::size_t task = 0; task < intervals.size(); ++task) {
        const TaskRow& what = (*replica.rows)[task];
        const auto& [from, to] = intervals[task];
        const bool apart = what.part == Part::exchange;
        exchanges = exchanges || apart;
        json::object event = complete(fmt::format("{} {}", what.layer, what.task.kind), name_of(what.part),
                                      apart ? exchange_row : row, origin, from, to);
        event["args"] = arguments_of(what, std::chrono::duration<double>(to - from).count());
        add(event);
      }
    }
    if (!exchanges) continue;
    add(metadata("thread_name", exchange_row, {{"name", name + ", exchange"}}));
    add(metadata("thread_sort_index", exchange_row, {{"sort_index", exchange_row}}));
  }
  file_.write("\n]}\n");
  file_.commit();
}

}  // namespace qfw
