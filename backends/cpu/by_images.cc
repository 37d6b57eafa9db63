#include "by_images.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

namespace qfw::cpu {
namespace {

// Weights are read again for every few images, from beyond the second-level cache and with little to do for each: a byte of
// them takes as long as this many of images, which are read in order by code that is made for it.
constexpr double weights_cost = 4;
constexpr double least_gain = 0.9;                // of the cost without
constexpr std::int64_t images_bytes = 512 << 10;  // of a convolution's input and output that a thread has at once

/// What is known of a node's outputs.
enum class Kind : std::uint8_t {
  fixed,   ///< equal for every image, and for any number of them
  filled,  ///< the same, but with an extent for the images, along which it repeats itself
  images,  ///< one slice for each image, computed from slices of the same image
  mixed
};

/// Which nodes are computed image by image, and how each is cut.
class Slicing {
 public:
  explicit Slicing(const Graph& graph) : graph_(graph) {
    for (const Input& input : graph.inputs) {
      if (images_ == 0 && !input.replicated && input.type.shape.rank() > 1) images_ = input.type.shape[0];
    }
    for (const Node& node : graph.nodes) kinds_.push_back(kind(node));
  }

  std::int64_t images() const { return images_; }
  Kind kind_of(int node) const { return kinds_[static_cast<std::size_t>(node)]; }

  /// Whether a slice of the node is computed from a slice of that operand, or from all of it.
  bool takes_slice(const Node& node, std::size_t operand) const {
    const Use use = node.inputs[operand];
    switch (node.op) {
      case Op::conv2d:
      case Op::dense:
        return operand == 0;
      case Op::reshape:
        return true;
      default:
        return whole_rank(graph_.type(use).shape, node.outputs[0].shape);
    }
  }

  Node cut(Node node, std::int64_t images) const {
    for (TensorType& type : node.outputs) type.shape = cut(type.shape, images);
    if (auto* shape = std::get_if<Shape>(&node.attributes)) *shape = cut(*shape, images);
    if (auto* reduce = std::get_if<Reduce>(&node.attributes)) reduce->to = cut(reduce->to, images);
    return node;
  }
  static Shape cut(const Shape& shape, std::int64_t images) {
    std::vector<std::int64_t> extents(shape.begin(), shape.end());
    extents[0] = images;
    return Shape(std::span<const std::int64_t>(extents));
  }

 private:
  bool has_images(const Shape& shape) const { return shape.rank() > 0 && shape[0] == images_; }
  bool whole_rank(const Shape& shape, const Shape& result) const { return shape.rank() == result.rank() && has_images(shape); }

  Kind kind(const Node& node) const {
    if (images_ < 2) return Kind::mixed;
    if (node.op == Op::input) {
      const Input& input = graph_.inputs[static_cast<std::size_t>(node.as<Slot>().index)];
      return !input.replicated && has_images(input.type.shape) ? Kind::images : Kind::mixed;
    }
    if (node.op == Op::tensor) return Kind::fixed;
    const bool long_enough = !node.outputs.empty() && has_images(node.outputs[0].shape);
    if (node.op == Op::constant) return long_enough ? Kind::filled : Kind::fixed;
    if (class_of(node.op) == OpClass::source || node.inputs.empty()) return Kind::mixed;
    return long_enough && by_images(node) ? joined(node) : without_images(node);
  }

  /// Whether the op works on each image alone, if its first operand has images.
  bool by_images(const Node& node) const {
    const Shape &from = graph_.type(node.inputs[0]).shape, &to = node.outputs[0].shape;
    switch (node.op) {
      case Op::conv2d:
      case Op::dense:
      case Op::max_pool:
      case Op::reshape:
        return has_images(from);
      case Op::transpose:
        return has_images(from) && std::ranges::find(node.as<Axes>().swap, 0) == node.as<Axes>().swap.end();
      case Op::sum:
      case Op::reduce_max:
      case Op::reduce_min:
        return whole_rank(from, to);
      case Op::broadcast_to:
        return whole_rank(from, to) || from.rank() < to.rank() || from[0] == 1;
      default:
        return class_of(node.op) == OpClass::elementwise;
    }
  }

  Kind joined(const Node& node) const {
    bool any_images = false, all_repeat = true;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const Kind kind = kind_of(node.inputs[i].node);
      const bool slice = takes_slice(node, i);
      if (slice ? kind != Kind::images && kind != Kind::filled : kind == Kind::images || kind == Kind::mixed)
        return without_images(node);
      any_images = any_images || kind == Kind::images;
      all_repeat = all_repeat && kind != Kind::images;
    }
    if (any_images) return Kind::images;
    const bool repeats = node.op == Op::broadcast_to || class_of(node.op) == OpClass::elementwise;
    return repeats && all_repeat ? Kind::filled : without_images(node);
  }

  Kind without_images(const Node& node) const {
    const bool fixed = std::ranges::all_of(
        node.inputs, [this](Use use) { return kind_of(use.node) == Kind::fixed || kind_of(use.node) == Kind::filled; });
    return fixed ? Kind::fixed : Kind::mixed;
  }

  const Graph& graph_;
  std::int64_t images_ = 0;
  std::vector<Kind> kinds_;  ///< by node
};

/// Which nodes a cut before that node leaves to the first part: those before it that have images, and what elementwise ops make
/// of them alone without making them larger, such as codes of a value of which nothing else is needed behind the cut.
std::vector<bool> nodes_before(const Graph& graph, const Slicing& slicing, int cut) {
  std::vector<bool> before(graph.nodes.size());
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[number];
    if (slicing.kind_of(number) != Kind::images) continue;
    std::size_t most = 0;
    bool all = class_of(node.op) == OpClass::elementwise;
    for (const Use use : node.inputs) {
      if (slicing.kind_of(use.node) != Kind::images) continue;
      most = std::max(most, graph.type(use).bytes());
      all = all && before[use.node] && graph.nodes[use.node].op != Op::input;
    }
    before[number] = number < cut || (all && node.outputs[0].bytes() <= most);
  }
  return before;
}

/// What goes from those nodes to the others, or is fetched.
std::vector<Use> crossing(const Graph& graph, const std::vector<bool>& before) {
  std::vector<Use> uses;
  const auto add = [&](Use use) {
    if (!before[use.node] || graph.nodes[use.node].op == Op::input) return;
    if (std::ranges::find(uses, use) == uses.end()) uses.push_back(use);
  };
  for (std::size_t number = 0; number < graph.nodes.size(); ++number) {
    if (!before[number]) std::ranges::for_each(graph.nodes[number].inputs, add);
  }
  for (const Fetch& fetch : graph.fetches) add(fetch.use);
  return uses;
}

/// Bytes that a convolution reads and writes of each image, and of weights. Integer sums count as the codes that the pass
/// which rides on them makes.
struct Traffic {
  int node = 0;
  double images = 0, weights = 0;
};

std::vector<Traffic> convolutions(const Graph& graph, const Slicing& slicing) {
  std::vector<Traffic> found;
  const auto images = static_cast<double>(slicing.images());
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Node& node = graph.nodes[number];
    if (node.op != Op::conv2d || slicing.kind_of(number) != Kind::images) continue;
    const TensorType &src = graph.type(node.inputs[0]), &dst = node.outputs[0];
    const double elements = static_cast<double>(src.shape.count() + dst.shape.count());
    found.push_back({.node = number,
                     .images = elements * static_cast<double>(size_of(src.dtype)) / images,
                     .weights = static_cast<double>(graph.type(node.inputs[1]).bytes())});
  }
  return found;
}

std::int64_t images_at_once(const std::vector<Traffic>& convolutions, std::int64_t images, int threads) {
  double most = 1;
  for (const Traffic& one : convolutions) most = std::max(most, one.images);
  std::int64_t at_once = 1;
  for (std::int64_t count = 2; count <= images / threads && static_cast<double>(count) * most <= images_bytes; ++count) {
    if (images % count == 0 && (images / count) % threads == 0) at_once = count;
  }
  return at_once;
}

/// Before which convolution to cut: what leaves a thread's caches is written and read, weights are read for each few images.
/// -1: nowhere.
int best_cut(const Graph& graph, const Slicing& slicing, const std::vector<Traffic>& convolutions, std::int64_t at_once) {
  const auto cost = [&](std::size_t first_behind, int cut) {
    double bytes = 0;
    for (const Use use : crossing(graph, nodes_before(graph, slicing, cut))) {
      bytes += 2 * static_cast<double>(graph.type(use).bytes()) / static_cast<double>(slicing.images());
    }
    for (std::size_t i = 0; i < convolutions.size(); ++i) {
      const Traffic& one = convolutions[i];
      const auto images = static_cast<double>(i < first_behind ? at_once : slicing.images());
      bytes += weights_cost * one.weights / images + (i < first_behind ? 0 : 2 * one.images);
    }
    return bytes;
  };
  double least = least_gain * cost(0, 0);
  int best = -1;
  for (std::size_t behind = 1; behind <= convolutions.size(); ++behind) {
    const bool all = behind == convolutions.size();
    const int cut = all ? static_cast<int>(graph.nodes.size()) : convolutions[behind].node;
    const double bytes = cost(behind, cut);
    if (bytes >= least) continue;
    least = bytes;
    best = cut;
  }
  return best;
}

/// Copies nodes of the whole graph to one of the two.
class Copier {
 public:
  Copier(const Graph& from, Graph& to, std::vector<int>& origin) : from_(from), to_(to), origin_(origin) {
    to.tensors = from.tensors;
    to.training = from.training;
    to.may_update = from.may_update;
    to.summation = from.summation;
  }

  int append(Node node, int origin) {
    to_.nodes.push_back(std::move(node));
    origin_.push_back(origin);
    return static_cast<int>(to_.nodes.size()) - 1;
  }
  int input(Input input, int origin) {
    const Slot slot{static_cast<int>(to_.inputs.size())};
    Node node{.op = Op::input, .inputs = {}, .attributes = slot, .outputs = {input.type}, .path = from_.nodes[origin].path};
    to_.inputs.push_back(std::move(input));
    return append(std::move(node), origin);
  }

 private:
  const Graph& from_;
  Graph& to_;
  std::vector<int>& origin_;
};

class Splitter {
 public:
  Splitter(const Graph& graph, const Slicing& slicing, int cut, std::int64_t at_once)
      : graph_(graph), slicing_(slicing), crossing_(crossing(graph, nodes_before(graph, slicing, cut))) {
    split_.images = slicing.images();
    split_.at_once = at_once;
  }

  ByImages run() {
    make_first();
    make_rest();
    return std::move(split_);
  }

 private:
  std::size_t count() const { return graph_.nodes.size(); }

  /// Nodes whose slices are wanted, and nodes wanted as they are: fixed ones.
  void make_first() {
    std::vector<bool> slices(count()), wholes(count());
    for (const Use use : crossing_) slices[use.node] = true;
    for (int number = static_cast<int>(count()) - 1; number >= 0; --number) {
      const Node& node = graph_.nodes[number];
      for (std::size_t i = 0; i < node.inputs.size(); ++i) {
        const int operand = node.inputs[i].node;
        if (slices[number]) (slicing_.takes_slice(node, i) ? slices : wholes)[operand] = true;
        if (wholes[number]) wholes[operand] = true;
      }
    }
    Copier copier(graph_, split_.first, split_.first_nodes);
    std::vector<int> slice_at(count(), -1), whole_at(count(), -1);
    for (int number = 0; number < static_cast<int>(count()); ++number) {
      const Node& node = graph_.nodes[number];
      if (wholes[number]) {
        Node whole = node;
        for (Use& use : whole.inputs) use.node = whole_at[use.node];
        whole_at[number] = copier.append(std::move(whole), number);
      }
      if (slices[number]) slice_at[number] = append_slice(copier, node, number, slice_at, whole_at);
    }
    for (const Use use : crossing_) {
      split_.first.fetches.push_back({fmt::format("images/{}", split_.first.fetches.size()), {slice_at[use.node], use.output}});
    }
  }

  int append_slice(Copier& copier, const Node& node, int number, const std::vector<int>& slice_at,
                   const std::vector<int>& whole_at) {
    if (node.op == Op::input) {
      const int index = node.as<Slot>().index;
      Input input = graph_.inputs[static_cast<std::size_t>(index)];
      input.type.shape = Slicing::cut(input.type.shape, split_.at_once);
      split_.first_inputs.push_back(index);
      return copier.input(std::move(input), number);
    }
    Node slice = slicing_.cut(node, split_.at_once);
    for (std::size_t i = 0; i < slice.inputs.size(); ++i) {
      Use& use = slice.inputs[i];
      use.node = (slicing_.takes_slice(node, i) ? slice_at : whole_at)[use.node];
    }
    return copier.append(std::move(slice), number);
  }

  void make_rest() {
    std::vector<bool> wanted(count());
    const auto given = [this](Use use) { return std::ranges::find(crossing_, use) != crossing_.end(); };
    const auto want = [&](Use use) {
      if (!given(use)) wanted[use.node] = true;
    };
    for (const Fetch& fetch : graph_.fetches) want(fetch.use);
    for (int number = static_cast<int>(count()) - 1; number >= 0; --number) {
      if (wanted[number]) std::ranges::for_each(graph_.nodes[number].inputs, want);
    }
    Copier copier(graph_, split_.rest, split_.rest_nodes);
    split_.rest.inputs = graph_.inputs;
    std::map<std::pair<int, int>, int> given_at;
    for (const Use use : crossing_) {
      const std::string& name = split_.first.fetches[given_at.size()].name;
      given_at[{use.node, use.output}] = copier.input({.name = name, .type = graph_.type(use)}, use.node);
    }
    std::vector<int> at(count(), -1);
    const auto moved = [&](Use use) -> Use {
      if (given(use)) return {given_at.at({use.node, use.output}), 0};
      return {at[use.node], use.output};
    };
    for (int number = 0; number < static_cast<int>(count()); ++number) {
      if (!wanted[number]) continue;
      Node node = graph_.nodes[number];
      for (Use& use : node.inputs) use = moved(use);
      at[number] = copier.append(std::move(node), number);
    }
    for (const Fetch& fetch : graph_.fetches) split_.rest.fetches.push_back({fetch.name, moved(fetch.use)});
  }

  const Graph& graph_;
  const Slicing& slicing_;
  std::vector<Use> crossing_;
  ByImages split_;
};

}  // namespace

std::optional<ByImages> split_by_images(const Graph& graph, int threads) {
  if (graph.training || !graph.updates.empty() || !graph.variables.empty()) return {};
  const Slicing slicing(graph);
  if (slicing.images() < 2 || slicing.images() % threads != 0) return {};
  const std::vector<Traffic> found = convolutions(graph, slicing);
  if (found.empty()) return {};
  const std::int64_t at_once = images_at_once(found, slicing.images(), threads);
  if (at_once == slicing.images()) return {};
  const int cut = best_cut(graph, slicing, found, at_once);
  if (cut < 0) return {};
  return Splitter(graph, slicing, cut, at_once).run();
}

}  // namespace qfw::cpu
