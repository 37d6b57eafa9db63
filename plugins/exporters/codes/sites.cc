#include <algorithm>
#include <boost/json.hpp>
#include <span>

#include "draft.h"
#include "json_text.h"
#include "thresholds.h"

namespace qfw::codes {

namespace {

namespace json = boost::json;

/// What is known of a product's weights as real numbers.
json::value scale_of_weights(Draft& draft, const QuantizedSite& site, const Levels& input, const Levels& weights) {
  if (site.weights.scale.node >= 0) return draft.constant(site.weights.scale, site.path + "/weights/scale");
  if (site.src.scale.node < 0) return nullptr;
  // Only their product is left of both sides' scales: factor = 1 / (input.step * input scale * weights.step * weights scale).
  const HostView factor = draft.constants.value(site.factor);
  const double src_scale = draft.constants.value(site.src.scale).as<float>()[0];
  std::vector<float> scales;
  for (const float each : factor.as<float>())
    scales.push_back(static_cast<float>(1 / (double{each} * input.step * src_scale * weights.step)));
  return json::value(draft.add(site.path + "/weights/scale", factor.type.shape, scales));
}

/// Ops of single elements with a constant that follow a value which nothing else reads, as far as they go.
class Following {
 public:
  Following(Draft& draft, Use from) : draft_(draft) {
    const Graph& graph = draft.model.graph;
    for (int next = only_reader(from); next >= 0; next = only_reader({next, 0})) {
      const Node& node = graph.nodes[static_cast<std::size_t>(next)];
      if (class_of(node.op) != OpClass::elementwise) break;
      const auto varying = std::ranges::count_if(node.inputs, [&](Use use) { return draft.constants.of_images(use); });
      if (varying != 1) break;
      numbers_.push_back(next);
    }
  }

  json::array list() {
    json::array steps;
    for (const int number : numbers_) {
      const Node& node = node_of(number);
      json::object step{{"op", name_of(node.op)}};
      for (const Use use : node.inputs) {
        if (!draft_.constants.of_images(use)) step["constant"] = draft_.constant(use, draft_.values.name(use));
      }
      step["output"] = draft_.values.name({number, 0});
      steps.push_back(std::move(step));
    }
    return steps;
  }

  /// x - mean, * factor, + beta, one after the other.
  json::value batch_norm() {
    const auto at = [&](std::size_t i) { return node_of(numbers_[i]).op; };
    for (std::size_t i = 0; i + 2 < numbers_.size(); ++i) {
      if (at(i) != Op::subtract || at(i + 1) != Op::multiply || at(i + 2) != Op::add) continue;
      if (draft_.constants.of_images(node_of(numbers_[i]).inputs[1])) continue;  // constant - x
      return json::object{
          {"mean", constant_of(numbers_[i])}, {"factor", constant_of(numbers_[i + 1])}, {"beta", constant_of(numbers_[i + 2])}};
    }
    return nullptr;
  }

 private:
  const Node& node_of(int number) const { return draft_.model.graph.nodes[static_cast<std::size_t>(number)]; }

  json::value constant_of(int number) {
    for (const Use use : node_of(number).inputs) {
      if (!draft_.constants.of_images(use)) return draft_.constant(use, draft_.values.name(use));
    }
    return nullptr;
  }

  /// -1: none, several, or a fetch.
  int only_reader(Use use) const {
    const Graph& graph = draft_.model.graph;
    if (std::ranges::any_of(graph.fetches, [&](const Fetch& fetch) { return fetch.use == use; })) return -1;
    int reader = -1;
    for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
      if (std::ranges::find(node_of(number).inputs, use) == node_of(number).inputs.end()) continue;
      if (reader >= 0) return -1;
      reader = number;
    }
    return reader;
  }

  Draft& draft_;
  std::vector<int> numbers_;
};

json::object describe(Draft& draft, const QuantizedSite& site) {
  const Node& matmul = draft.node(site.matmul);
  const Levels input(*site.src.grid), weights(*site.weights.grid);
  const bool is_conv = matmul.op == Op::conv2d;
  const HostView codes = draft.constants.value(matmul.inputs[1]);
  const bool padded = is_conv && matmul.as<Conv2d>().padding != Padding{};
  const SumRange range(codes, input, padded);
  const Shape channels{static_cast<std::int64_t>(range.least.size())};

  json::object about{{"layer", site.path}, {"op", name_of(matmul.op)}, {"input", draft.values.name(matmul.inputs[0])}};
  about["weights"] = json::object{
      {"codes", draft.constant(matmul.inputs[1], site.path + "/weights/codes")},
      {"layout", is_conv ? "HWIO" : "IO"},
      {"dtype", name_of(codes.type.dtype)},
      {"integers", {{"low", weights.low}, {"high", weights.high}, {"step", weights.step}}},
      {"scale", scale_of_weights(draft, site, input, weights)},
  };
  if (is_conv) {
    for (const auto& pair : describe_conv(matmul.as<Conv2d>())) about[pair.key()] = pair.value();
  }
  about["sums"] = json::object{
      {"value", draft.values.name(site.matmul)},
      {"shape", draft.shape_of(site.matmul)},
      {"bits", range.bits()},
      {"least", draft.add(site.path + "/least_sum", channels, range.least)},
      {"greatest", draft.add(site.path + "/greatest_sum", channels, range.greatest)},
  };
  about["factor"] = draft.constant(site.factor, site.path + "/factor");
  Following following(draft, site.matmul);
  about["then"] = following.list();
  about["batch_norm"] = following.batch_norm();
  return about;
}

}  // namespace

json::array describe_sites(Draft& draft) {
  json::array sites;
  for (const QuantizedSite& site : draft.model.graph.sites) {
    if (site.matmul.node >= 0) sites.push_back(describe(draft, site));
  }
  return sites;
}

}  // namespace qfw::codes
