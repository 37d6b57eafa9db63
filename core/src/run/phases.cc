#include "run/phases.h"

#include <algorithm>

namespace qfw {

namespace {

constexpr std::int64_t most_questions = std::int64_t{1} << 27;  // about a second

}  // namespace

void for_each_phase(const Session& session,
                    const std::function<void(std::int64_t step, const std::vector<Phase>& phases)>& visit) {
  const auto& quantizers = session.quantizers().all();
  std::vector<Phase> now(quantizers.size());
  std::int64_t step = 0;
  for (std::int64_t asked = 0; step < session.total_steps() && asked < most_questions; ++asked) {
    const Clock clock = session.clock(step, true);
    bool changed = step == 0;
    std::int64_t next = session.total_steps();
    for (std::size_t i = 0; i < now.size(); ++i) {
      const Phase phase = quantizers[i]->phase(clock);
      changed |= phase != now[i];
      now[i] = phase;
      next = std::min(next, quantizers[i]->next_phase_change(clock));
    }
    if (changed) visit(step, now);
    step = std::max(step + 1, next);
  }
}

std::vector<std::int64_t> first_steps_of_phases(const Session& session) {
  std::vector<std::int64_t> steps;
  std::set<std::vector<Phase>> seen;
  for_each_phase(session, [&](std::int64_t step, const std::vector<Phase>& phases) {
    if (seen.insert(phases).second) steps.push_back(step);
  });
  return steps;
}

std::set<std::vector<Phase>> phases_from(const Session& session, std::int64_t step) {
  std::set<std::vector<Phase>> met;
  for_each_phase(session, [&](std::int64_t begin, const std::vector<Phase>& phases) {
    if (begin <= step) met.clear();
    met.insert(phases);
  });
  return met;
}

}  // namespace qfw
