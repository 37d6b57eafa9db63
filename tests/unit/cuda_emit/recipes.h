#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "passes/freeze.h"
#include "qfw/lowering/steps.h"
#include "run/session.h"
#include "support/evaluate.h"

namespace qfw::cuda::testing {

inline std::vector<std::string> recipes() {
  std::vector<std::string> names;
  const std::filesystem::path folder = QFW_SOURCE_DIR "/recipes";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.path().extension() == ".ini") names.push_back(std::filesystem::relative(entry.path(), folder).string());
  }
  std::ranges::sort(names);
  return names;
}

inline Session session_of(const std::string& name, const std::vector<std::string>& overrides) {
  LoadOptions load;
  load.dataset_optional = true;
  return Session(Recipe::load(QFW_SOURCE_DIR "/recipes/" + name, overrides, ::qfw::testing::catalog(), load),
                 Session::Data::optional);
}

/// What an evaluation computes for every batch, its tensors left as they are.
inline Graph frozen(const Graph& evaluation) {
  const Freeze parts(evaluation);
  std::vector<Freeze::Bytes> values;
  for (const Fetch& fetch : parts.prepare().fetches) {
    values.push_back(std::make_shared<std::vector<std::byte>>(parts.prepare().type(fetch.use).bytes()));
  }
  return parts.frozen(values);
}

/// The graphs of a recipe's training and evaluation, at its beginning, in its middle and at its end. `small`: of small images
/// with few channels, which leave rests of vectors in several layers.
inline void for_each_graph(const std::string& name, bool small,
                           const std::function<void(const Graph& graph, Session& session)>& use) {
  const bool imagenet = name.find("resnet") != name.npos;
  std::vector<std::string> overrides;
  if (small) overrides = {"train.batch_size=2", "eval.batch_size=2"};
  if (small && imagenet) overrides.insert(overrides.end(), {"dataset.shape=45,45,3", "model.num_filters=12"});
  // Whether the data are there or not.
  if (!imagenet) {
    overrides.insert(overrides.end(), {"dataset.shape=28,28,1", "dataset.classes=10", "dataset.train_examples=60000"});
  }
  Session session = session_of(name, overrides);
  const std::int64_t steps = session.total_steps();
  for (const std::int64_t step : {std::int64_t{0}, steps / 2, steps - 1}) {
    for (const bool training : {true, false}) {
      use(session.prepared(training ? session.training_graph_at(step) : session.evaluation_graph_at(step)), session);
    }
  }
}

/// Their steps with groups, and those of what an evaluation computes for every batch.
inline void for_each_group(const std::string& name, bool small,
                           const std::function<void(const Graph& graph, const lowering::Step& step)>& use) {
  const auto steps_of = [&](const Graph& graph) {
    for (const lowering::Step& each : lowering::list_steps(graph, target(), true).steps) {
      if (each.group != nullptr) use(graph, each);
    }
  };
  for_each_graph(name, small, [&](const Graph& graph, Session&) {
    steps_of(graph);
    if (!graph.training) steps_of(frozen(graph));
  });
}

}  // namespace qfw::cuda::testing
