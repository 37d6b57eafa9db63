#include "passes/freeze.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "passes/finish.h"
#include "passes/remap.h"
#include "qfw/error.h"

namespace qfw {

namespace {

/// Splits a graph; what the images' side needs of the other is made again where that costs nothing, and given to it elsewhere.
class Splitter {
 public:
  explicit Splitter(const Graph& graph) : graph_(graph) {
    find_images();
    name_roles();
    rest_.inputs = graph.inputs;
    rest_.tensors = graph.tensors;
    given_.assign(graph.tensors.size(), -1);
    for (Graph* part : {&prepare_, &rest_}) {
      part->training = graph.training;
      part->may_update = false;
      part->summation = graph.summation;
    }
  }

  void run() {
    moved_.resize(graph_.nodes.size());
    for (int number = 0; number < static_cast<int>(graph_.nodes.size()); ++number) {
      if (of_images_[number]) copy(number);
    }
    for (const Fetch& fetch : graph_.fetches) needed(fetch.use);
    for (const QuantizedSite& site : graph_.sites) {  // a scale that is a number stays to be read
      for (const Use scale : {site.src.scale, site.weights.scale}) {
        if (scale.node >= 0 && node(scale).op == Op::constant) needed(scale);
      }
    }
    copy_uses(graph_, rest_, [this](Use use) { return find(use); });
    make_prepare();
  }

  Graph prepare_, rest_;
  std::vector<int> given_;

 private:
  const Node& node(Use use) const { return graph_.nodes[use.node]; }

  void find_images() {
    for (const Node& node : graph_.nodes) {
      const bool source =
          node.op == Op::input || node.op == Op::step || node.op == Op::random_uniform || node.op == Op::all_reduce;
      of_images_.push_back(source || std::ranges::any_of(node.inputs, [&](Use use) { return of_images_[use.node]; }));
    }
  }

  void name_roles() {
    const auto name = [&](Use use, const std::string& role) {
      if (use.node >= 0) roles_.emplace(std::pair(use.node, use.output), role);
    };
    for (const QuantizedSite& site : graph_.sites) {
      if (site.matmul.node >= 0) {
        const char* what = site.integer ? "codes" : "values";
        name(node(site.matmul).inputs[0], fmt::format("{}/src/{}", site.path, what));
        name(node(site.matmul).inputs[1], fmt::format("{}/weights/{}", site.path, what));
      }
      name(site.factor, site.path + "/factor");
      name(site.src.scale, site.path + "/src/scale");
      name(site.weights.scale, site.path + "/weights/scale");
    }
  }

  std::string name_of_tensor(Use use) {
    const Node& made = node(use);
    std::string name = fmt::format("{}{}{}", made.path, made.path.empty() ? "" : "/", name_of(made.op));
    if (made.op == Op::variable) name = graph_.variables[made.as<Slot>().index].name;
    if (const auto role = roles_.find({use.node, use.output}); role != roles_.end() && made.op != Op::variable)
      name = role->second;
    std::string unique = name;
    for (int i = 2; !names_.insert(unique).second; ++i) unique = fmt::format("{}_{}", name, i);
    return unique;
  }

  int append(Node copied) {
    for (Use& use : copied.inputs) use = needed(use);
    rest_.nodes.push_back(std::move(copied));
    return static_cast<int>(rest_.nodes.size()) - 1;
  }

  void copy(int number) { moved_[number] = append(graph_.nodes[number]); }

  /// Where a value of the graph is in the rest, if it is there.
  Use find(Use use) const {
    if (const auto tensor = tensors_.find({use.node, use.output}); tensor != tensors_.end()) return tensor->second;
    return moved_[use.node] ? Use{*moved_[use.node], use.output} : Use{};
  }

  /// The same, made if need be: a constant and a view of something smaller again, everything else as a tensor that is given.
  Use needed(Use use) {
    if (find(use).node < 0) {
      if (goes_over(use)) {
        give(use);
      } else {
        copy(use.node);
      }
    }
    return find(use);
  }

  bool goes_over(Use use) const {
    bool larger = false;  // than something it is a view of
    Use at = use;
    for (; class_of(node(at).op) == OpClass::view; at = node(at).inputs[0]) {
      larger = larger || graph_.type(node(at).inputs[0]).bytes() < graph_.type(use).bytes();
    }
    return !larger && node(at).op != Op::constant && node(at).op != Op::tensor;
  }

  void give(Use use) {
    given_.push_back(static_cast<int>(prepare_.fetches.size()));
    prepare_.fetches.push_back({name_of_tensor(use), use});
    const TensorType& type = graph_.type(use);
    rest_.tensors.push_back({prepare_.fetches.back().name, type, nullptr});
    const Slot slot{static_cast<int>(rest_.tensors.size()) - 1};
    const Node tensor{.op = Op::tensor, .inputs = {}, .attributes = slot, .outputs = {type}, .path = node(use).path};
    tensors_[{use.node, use.output}] = {append(tensor), 0};
  }

  void make_prepare() {
    prepare_.tensors = graph_.tensors;
    prepare_.variables = graph_.variables;
    std::vector<int> place(graph_.nodes.size(), -1);
    for (std::size_t number = 0; number < graph_.nodes.size(); ++number) {
      if (of_images_[number]) continue;
      Node copied = graph_.nodes[number];
      for (Use& use : copied.inputs) use.node = place[use.node];
      place[number] = static_cast<int>(prepare_.nodes.size());
      prepare_.nodes.push_back(std::move(copied));
    }
    for (Fetch& fetch : prepare_.fetches) fetch.use.node = place[fetch.use.node];
  }

  const Graph& graph_;
  std::vector<bool> of_images_;                       ///< by node: what it gives may differ from batch to batch
  std::map<std::pair<int, int>, std::string> roles_;  ///< by use: its name, if a site has one for it
  std::set<std::string> names_;
  std::vector<std::optional<int>> moved_;       ///< by node: its copy in the rest
  std::map<std::pair<int, int>, Use> tensors_;  ///< by use: what stands for it in the rest
};

}  // namespace

Freeze::Freeze(const Graph& graph, int replicas) : replicas_(replicas) {
  if (!graph.updates.empty()) {
    fail(Error::Category::internal, "freeze", fmt::format("the graph updates {} variables", graph.updates.size()), {},
         "only what changes nothing can be frozen");
  }
  Splitter splitter(graph);
  splitter.run();
  prepare_ = finish(splitter.prepare_, replicas);
  rest_ = std::move(splitter.rest_);
  given_ = std::move(splitter.given_);
}

Graph Freeze::frozen(const std::vector<Bytes>& values) const {
  if (values.size() != prepare_.fetches.size()) {
    fail(Error::Category::internal, "freeze", fmt::format("{} values, {} expected", values.size(), prepare_.fetches.size()));
  }
  Graph graph = rest_;
  for (std::size_t i = 0; i < given_.size(); ++i) {
    if (given_[i] >= 0) graph.tensors[i].bytes = values[static_cast<std::size_t>(given_[i])];
  }
  return finish(graph, replicas_);
}

}  // namespace qfw
