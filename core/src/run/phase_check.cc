#include "run/phase_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "passes/untrained.h"
#include "qfw/error.h"
#include "run/phases.h"

namespace qfw {

namespace {

std::map<std::string, std::string> types_by_name(const std::vector<Variable>& variables) {
  std::map<std::string, std::string> types;
  for (const Variable& variable : variables) types[variable.name] = variable.type.str();
  return types;
}

std::string kept(const std::map<std::string, std::string>& types, const std::string& name) {
  const auto found = types.find(name);
  return found == types.end() ? "not declared" : found->second;
}

}  // namespace

void check_same_variables(const std::vector<Variable>& first, const Graph& graph, const std::string& when) {
  const auto before = types_by_name(first), now = types_by_name(graph.variables);
  std::set<std::string> differing;
  for (const auto& [name, type] : now) {
    if (kept(before, name) != type) differing.insert(name);
  }
  for (const auto& [name, type] : before) {
    if (graph.training && !now.contains(name)) differing.insert(name);
  }
  if (differing.empty()) return;
  const std::string& name = *differing.begin();
  fail(Error::Category::graph, "variables",
       fmt::format("variables differ between phases: {} is {} in the first step and {} {}{}", name, kept(before, name),
                   kept(now, name), when, differing.size() > 1 ? fmt::format(", and {} more", differing.size() - 1) : ""),
       {}, "the model or quantizer that uses it must declare it in every phase, training and evaluation");
}

void check_phases(Session& session, std::int64_t from) {
  const std::vector<Variable>& first = session.variables();
  const TrainSettings& train = session.recipe().train();
  const bool memory_decides = train.recompute == "auto" && train.memory_limit_mib;
  std::set<std::vector<Phase>> compiled, evaluated;
  if (memory_decides) compiled = phases_from(session, from);
  const auto check_evaluation = [&](std::int64_t completed) {
    const Clock clock = session.clock(completed, false);
    if (!evaluated.insert(session.phases(clock)).second) return;
    check_same_variables(first, session.prepared(session.evaluation_graph_at(completed)),
                         fmt::format("in evaluation after step {} (phase {})", completed, session.phase_text(clock)));
  };
  for (const std::int64_t step : first_steps_of_phases(session)) {
    if (compiled.contains(session.phases(session.clock(step, true)))) {
      session.training(step);  // throws if it needs more than is allowed
    } else if (step > 0) {
      check_same_variables(first, session.prepared(session.training_graph_at(step)),
                           fmt::format("from step {} (phase {})", step, session.phase_text(session.clock(step, true))));
    }
    check_evaluation(step + 1);
  }
  check_evaluation(session.total_steps());
}

std::vector<std::string> untrained_parameters(const Session& session) {
  std::vector<std::string> untrained;
  bool began = false;
  for (const std::int64_t step : first_steps_of_phases(session)) {
    const auto found = parameters_without_gradient(session.describe(session.clock(step, true), 1));
    if (!began) untrained = found;
    std::erase_if(untrained, [&](const std::string& name) { return std::ranges::find(found, name) == found.end(); });
    began = true;
    if (untrained.empty()) break;
  }
  return untrained;
}

}  // namespace qfw
