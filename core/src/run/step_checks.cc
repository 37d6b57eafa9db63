#include "run/step_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "io/progress.h"
#include "passes/code_checks.h"
#include "qfw/error.h"
#include "util/counted.h"

namespace qfw {

namespace {

/// What a graph of scalars fetches, in each replica, when it is fed as another graph was; its inputs are among the other's.
std::vector<std::vector<float>> fetched(Session& session, Graph graph, const Graph& other, std::int64_t step,
                                        std::span<const Session::Exchange> exchanges) {
  const Session::Compiled compiled = session.compile(std::move(graph));
  std::vector<std::vector<float>> values(exchanges.size(), std::vector<float>(compiled.graph.fetches.size()));
  std::vector<Session::Exchange> own(exchanges.size());
  for (std::size_t replica = 0; replica < exchanges.size(); ++replica) {
    for (const Input& input : compiled.graph.inputs) {
      const auto same = std::ranges::find(other.inputs, input.name, &Input::name);
      own[replica].feeds.push_back(exchanges[replica].feeds.at(static_cast<std::size_t>(same - other.inputs.begin())));
    }
    for (float& value : values[replica]) {
      own[replica].fetches.push_back({{{}, DType::f32}, std::as_writable_bytes(std::span(&value, 1))});
    }
  }
  session.run(compiled, step, own);
  return values;
}

}  // namespace

std::string origin_of_not_finite(Session& session, const Graph& graph, std::int64_t step,
                                 std::span<const Session::Exchange> exchanges) {
  const Graph diagnosis = session.diagnosis_graph_at(step, graph.training);
  const auto counts = fetched(session, diagnosis, graph, step, exchanges);
  for (std::size_t i = 0; i < diagnosis.fetches.size(); ++i) {
    float count = 0;
    for (const auto& of_replica : counts) count += of_replica[i];
    if (count != 0) return fmt::format("{}, {:.0f} elements", diagnosis.fetches[i].name, count);
  }
  return {};
}

void check_codes(Session& session, const Graph& graph, bool& checked, std::int64_t step,
                 std::span<const Session::Exchange> exchanges) {
  if (std::exchange(checked, true)) return;
  const Activity checking("checking the codes of the first step of a phase");
  const Clock clock = session.clock(step, graph.training);
  const std::int64_t batch = clock.training ? session.train_batch() : session.eval_batch();
  CodeChecks checks = code_checks(session.describe(clock, batch), clock.training);
  if (checks.operands.empty()) return;
  const auto values = fetched(session, std::move(checks.graph), graph, step, exchanges);
  for (std::size_t i = 0; i < checks.operands.size(); ++i) {
    for (const auto& of_replica : values) {
      const float off = of_replica[4 * i], not_finite = of_replica[4 * i + 1], largest = of_replica[4 * i + 2];
      if (off == 0) continue;
      const CodeChecks::Operand& operand = checks.operands[i];
      fail(Error::Category::plugin, "quantizer",
           fmt::format("{:.0f} codes of the {} of layer {} are not on the grid from {} to {} that quantizer {} says they are "
                       "on, for example {}",
                       off, name_of(operand.role), operand.path, operand.grid.low, operand.grid.high,
                       session.recipe().name("quantizer"),
                       not_finite == off ? "one that is no finite number" : fmt::format("{}", largest)),
           fmt::format("{} {}, phase {}", clock.training ? "step" : "evaluation after step", step, session.phase_text(clock)),
           "codes are low, low + 1, ..., high (qfw/quantizer.h)");
    }
  }
  if (session.recipe().quantizer().arithmetic != "integer") return;  // the loss or a logit shows it
  for (std::size_t i = 0; i < checks.operands.size(); ++i) {
    float nan = 0;
    for (const auto& of_replica : values) nan += of_replica[4 * i + 3];
    if (nan == 0) continue;
    const CodeChecks::Operand& operand = checks.operands[i];
    const std::string origin = origin_of_not_finite(session, graph, step, exchanges);
    fail(Error::Category::data, clock.training ? "train" : "evaluate",
         fmt::format("{:.0f} of the {} of layer {} are NaN, which integers would hide: the first value that is not finite "
                     "comes from {}",
                     nan, name_of(operand.role), operand.path, origin.empty() ? "there" : origin),
         fmt::format("{} {}", clock.training ? "step" : "evaluation after step", step),
         "look at the variables of that layer; a checkpoint from before may still be good");
  }
}

void check_variables(const Session& session, const Graph& graph, std::int64_t completed) {
  std::vector<Variable> read;
  for (const Node& node : graph.nodes) {
    if (node.op == Op::variable) read.push_back(graph.variables[static_cast<std::size_t>(node.as<Slot>().index)]);
  }
  check_variables(session, read, completed);
}

void check_variables(const Session& session, std::span<const Variable> variables, std::int64_t completed) {
  std::vector<float> values;
  for (const Variable& variable : variables) {
    values.resize(static_cast<std::size_t>(variable.type.shape.count()));
    session.read(variable.name, {variable.type, std::as_writable_bytes(std::span(values))});
    const auto bad = std::ranges::count_if(values, [](float value) { return !std::isfinite(value); });
    if (bad == 0) continue;
    fail(Error::Category::data, "variables",
         fmt::format("{} of {} values of {} are not finite after {}", bad, values.size(), variable.name,
                     counted(completed, "step")),
         {},
         "the statistics or updates that make it went beyond what a float holds: lower the learning rate, or look at the "
         "images");
  }
}

}  // namespace qfw
