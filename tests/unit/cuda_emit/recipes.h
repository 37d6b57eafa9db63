#pragma once

#include <algorithm>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "cuda/context.h"
#include "qfw/lowering/grouping.h"
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

/// The graphs of a recipe's training and evaluation, at its beginning, in its middle and at its end. `small`: of small images
/// with few channels, which leave rests of vectors in several layers.
inline void for_each_graph(const std::string& name, bool small,
                           const std::function<void(const Graph& graph, Session& session)>& use) {
  LoadOptions load;
  load.dataset_optional = true;
  const bool imagenet = name.find("resnet") != name.npos;
  std::vector<std::string> overrides;
  if (small) overrides = {"train.batch_size=2", "eval.batch_size=2"};
  if (small && imagenet) overrides.insert(overrides.end(), {"dataset.shape=45,45,3", "model.num_filters=12"});
  // Whether the data are there or not.
  if (!imagenet) {
    overrides.insert(overrides.end(), {"dataset.shape=28,28,1", "dataset.classes=10", "dataset.train_examples=60000"});
  }
  Session session(Recipe::load(QFW_SOURCE_DIR "/recipes/" + name, overrides, ::qfw::testing::catalog(), load),
                  Session::Data::optional);
  const std::int64_t steps = session.total_steps();
  for (const std::int64_t step : {std::int64_t{0}, steps / 2, steps - 1}) {
    for (const bool training : {true, false}) {
      use(session.prepared(training ? session.training_graph_at(step) : session.evaluation_graph_at(step)), session);
    }
  }
}

/// Their groups.
inline void for_each_group(const std::string& name, bool small,
                           const std::function<void(const Graph& graph, const lowering::Group& group)>& use) {
  for_each_graph(name, small, [&](const Graph& graph, Session&) {
    for (const lowering::Item& item : lowering::group_nodes(graph, target())) {
      if (item.group) use(graph, *item.group);
    }
  });
}

}  // namespace qfw::cuda::testing
