#include "run/batch_moments.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "graph/builder_access.h"
#include "io/progress.h"
#include "passes/finish.h"
#include "passes/forward.h"
#include "qfw/error.h"
#include "qfw/interrupt.h"
#include "run/training_feed.h"

namespace qfw {

namespace {

/// The variables that an evaluation's normalizations read, by their path and their number among those there, mean and variance.
std::map<std::pair<std::string, int>, std::array<std::string, 2>> running_moments(const Graph& evaluation) {
  std::map<std::pair<std::string, int>, std::array<std::string, 2>> found;
  std::map<std::string, int> numbers;
  const auto name = [&](Use use) {
    const Node& node = evaluation.nodes[static_cast<std::size_t>(use.node)];
    if (node.op != Op::variable) return std::string();
    const Variable& variable = evaluation.variables[static_cast<std::size_t>(node.as<Slot>().index)];
    return variable.role == Variable::Role::batch_statistics ? variable.name : std::string();
  };
  for (const Node& node : evaluation.nodes) {
    if (node.op == Op::normalize) found[{node.path, numbers[node.path]++}] = {name(node.inputs[1]), name(node.inputs[2])};
  }
  return found;
}

struct Pass {
  Graph graph;
  std::vector<std::string> moments;  ///< the variable that each fetch is a batch's value for
  bool sets_bounds = false;
};

/// A training step's forward pass that fetches the batch's moments and updates quantizers' statistics.
Pass forward_pass(const StepDescription& description, const Graph& evaluation) {
  Pass pass;
  GraphBuilder g({.training = true});
  quantized_logits(description, g);
  Graph& graph = BuilderAccess::graph(g);
  std::erase_if(graph.updates, [&](const auto& update) {
    const Variable::Role role = graph.variables[static_cast<std::size_t>(update.first)].role;
    pass.sets_bounds = pass.sets_bounds || role == Variable::Role::operand_bounds;
    return role != Variable::Role::operand_statistics;
  });
  const auto variables = running_moments(evaluation);
  std::map<std::string, int> numbers;
  for (std::size_t i = 0; i < g.graph().nodes.size(); ++i) {
    const Node node = g.graph().nodes[i];  // a copy: fetching adds nodes
    if (node.op != Op::normalize) continue;
    const auto known = variables.find({node.path, numbers[node.path]++});
    if (known == variables.end()) continue;  // of training alone
    for (const std::size_t which : {0, 1}) {
      const Use use = node.inputs[1 + which];
      if (known->second[which].empty()) continue;
      g.fetch(known->second[which], all_reduce(Value(g, use.node, use.output), Across::mean));
      pass.moments.push_back(known->second[which]);
    }
  }
  pass.graph = finish(g.graph(), description.replicas);
  return pass;
}

/// With quantizers in the phase of a training step that sets no bounds, where one of the next two is such; else of an
/// evaluation, in which they collect nothing.
Pass pass_at(const Session& session, std::int64_t step, const Graph& evaluation) {
  for (const std::int64_t at : {step, step + 1}) {
    Pass pass = forward_pass(session.describe(session.clock(at, true), session.train_batch()), evaluation);
    if (!pass.sets_bounds) return pass;
  }
  return forward_pass(session.describe(session.clock(step, false), session.train_batch()), evaluation);
}

void check_all_found(const Graph& evaluation, const std::vector<std::string>& moments) {
  for (const Variable& variable : evaluation.variables) {
    if (variable.role != Variable::Role::batch_statistics || std::ranges::find(moments, variable.name) != moments.end())
      continue;
    fail(Error::Category::plugin, "calibrate",
         fmt::format("{} is neither the mean nor the variance of a normalization that training and evaluation share",
                     variable.name),
         {}, "leave out --batch-norm, or let the model use qfw::normalize (qfw/nn.h)");
  }
  if (moments.empty()) {
    fail(Error::Category::usage, "calibrate", "the model has no running moments that --batch-norm could estimate again", {},
         "leave it out");
  }
}

}  // namespace

VariableValues batch_moments(Session& session, std::int64_t step, std::int64_t batches,
                             const std::function<void(const Graph&)>& write) {
  const Graph evaluation = model_graph(session.describe(session.clock(step, false), session.train_batch()), false);
  Pass pass = pass_at(session, step, evaluation);
  check_all_found(evaluation, pass.moments);
  const Session::Compiled compiled = session.compile(std::move(pass.graph));
  const Graph& graph = compiled.graph;
  write(graph);

  const auto replicas = static_cast<std::size_t>(session.replicas().count());
  std::vector<std::unique_ptr<TrainingFeed>> feeds;
  std::vector<std::vector<std::vector<float>>> fetched(replicas);
  for (std::size_t i = 0; i < replicas; ++i) {
    feeds.push_back(std::make_unique<TrainingFeed>(session, static_cast<int>(i), step));
    for (const Fetch& fetch : graph.fetches) {
      fetched[i].emplace_back(static_cast<std::size_t>(graph.type(fetch.use).shape.count()));
    }
  }
  std::vector<std::vector<double>> sums(graph.fetches.size());
  for (std::size_t f = 0; f < sums.size(); ++f) sums[f].assign(fetched[0][f].size(), 0);
  const float rate = 0;
  Progress line("batch normalization");
  line.begin({.step = 0, .total_steps = batches});
  for (std::int64_t number = 0; number < batches; ++number) {
    stop_if_interrupted("calibrate");
    std::vector<Session::Exchange> exchanges(replicas);
    for (std::size_t i = 0; i < replicas; ++i) {
      feeds[i]->next();
      exchanges[i].feeds = feeds[i]->feeds(graph, rate);
      for (std::size_t f = 0; f < sums.size(); ++f) {
        exchanges[i].fetches.push_back({graph.type(graph.fetches[f].use), std::as_writable_bytes(std::span(fetched[i][f]))});
      }
    }
    session.run(compiled, step + number, exchanges);
    for (std::size_t f = 0; f < sums.size(); ++f) {
      for (std::size_t i = 0; i < sums[f].size(); ++i) sums[f][i] += fetched[0][f][i];  // equal on all replicas
    }
    line.update({.step = number + 1, .total_steps = batches, .corrupt = session.corrupt().count()});
  }

  VariableValues found;
  for (std::size_t f = 0; f < sums.size(); ++f) {
    std::vector<float>& values = found[pass.moments[f]];
    for (const double sum : sums[f]) values.push_back(static_cast<float>(sum / static_cast<double>(batches)));
    if (std::ranges::all_of(values, [](float value) { return std::isfinite(value); })) continue;
    fail(Error::Category::data, "calibrate", fmt::format("{} would not be finite", pass.moments[f]), {},
         "look at the variables of the layers before it");
  }
  for (const auto& [variable, next] : graph.updates) {
    const Variable& statistic = graph.variables[static_cast<std::size_t>(variable)];
    std::vector<float>& values = found[statistic.name];
    values.resize(static_cast<std::size_t>(statistic.type.shape.count()));
    session.read(statistic.name, {statistic.type, std::as_writable_bytes(std::span(values))});
  }
  return found;
}

}  // namespace qfw
