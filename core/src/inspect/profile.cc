#include "inspect/profile.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "inspect/work.h"
#include "qfw/error.h"

namespace qfw {

std::optional<double> Ceilings::multiplying_milliseconds(double multiplications, DType operands) const {
  if (multiplications == 0) return 0;
  const double a_second = peak_of(peak, operands);
  return a_second == 0 ? std::nullopt : std::optional(1000 * multiplications / a_second);
}

std::optional<double> Ceilings::moving_milliseconds(double bytes) const {
  return bandwidth == 0 ? std::nullopt : std::optional(1000 * bytes / bandwidth);
}

double Profile::milliseconds() const {
  double sum = 0;
  for (const Row& row : rows) sum += row.milliseconds;
  return sum;
}

std::vector<Profile::Kind> Profile::by_kind() const {
  std::vector<Kind> kinds;
  for (const Row& row : rows) {
    const auto known = std::ranges::find(kinds, row.task.kind, &Kind::kind);
    Kind& kind = known == kinds.end() ? kinds.emplace_back(Kind{.kind = row.task.kind}) : *known;
    kind.milliseconds += row.milliseconds;
    ++kind.calls;
  }
  std::ranges::stable_sort(kinds, std::greater{}, &Kind::milliseconds);
  return kinds;
}

double ceiling_milliseconds(const TaskRow& row, const Ceilings& ceilings) {
  return std::max(ceilings.multiplying_milliseconds(row.multiplications, row.operands).value_or(0),
                  ceilings.moving_milliseconds(static_cast<double>(row.task.bytes)).value_or(0));
}

StepCeiling ceiling_of(const Profile& profile, const Ceilings& ceilings) {
  StepCeiling ceiling;
  for (const Profile::Row& row : profile.rows) {
    ceiling.milliseconds += ceiling_milliseconds(row, ceilings);
    if (!ceilings.multiplying_milliseconds(row.multiplications, row.operands)) ceiling.all_peaks_known = false;
  }
  return ceiling;
}

Profiler::Profiler(const Graph& graph, Executable& executable, bool keep)
    : executable_(executable),
      keep_(keep),
      rows_(rows_of(graph, executable.tasks())),
      layers_(LayerNames(graph).in_order()),
      milliseconds_(rows_.size(), 0) {
  executable_.profile(true);
}

Profiler::~Profiler() {
  try {
    executable_.profile(false);
  } catch (...) {  // of a plugin that throws already
  }
}

void Profiler::add_run() {
  const auto intervals = executable_.intervals();
  if (intervals.size() != rows_.size()) {
    fail(Error::Category::plugin, "backend",
         fmt::format("an executable of {} tasks tells the times of {}", rows_.size(), intervals.size()));
  }
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    milliseconds_[i] += std::chrono::duration<double, std::milli>(intervals[i].end - intervals[i].begin).count();
  }
  if (keep_) kept_.emplace_back(intervals.begin(), intervals.end());
  ++runs_;
}

Profile Profiler::profile() const {
  Profile profile{.rows = {}, .layers = layers_};
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    profile.rows.push_back({rows_[i], runs_ == 0 ? 0 : milliseconds_[i] / static_cast<double>(runs_)});
  }
  return profile;
}

}  // namespace qfw
