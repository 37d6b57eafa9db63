#include "names.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <vector>

#include "qfw/text.h"

namespace qfw::keras {

namespace {

constexpr std::string_view first_numbered = "layers/conv2d/vars/0", last_numbered = "layers/batch_normalization/vars/3",
                           head_numbered = "layers/dense/vars/0";
/// What heads are called, in the order in which they are sought.
constexpr std::array<const char*, 4> heads{"predictions", "probs", "fc1000", "dense"};

std::vector<std::string_view> parts_of(std::string_view path) {
  std::vector<std::string_view> parts;
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('/', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

/// "kernel:0" and "kernel" are the same.
std::string_view without_number(std::string_view leaf) { return leaf.substr(0, leaf.find(':')); }

std::string_view their_leaf(std::string_view ours) {
  if (ours == "mean") return "moving_mean";
  if (ours == "variance") return "moving_variance";
  static const std::set<std::string_view> same{"kernel", "bias", "gamma", "beta"};
  return same.contains(ours) ? ours : std::string_view();
}

/// Where a leaf stands among its layer's variables.
int number_of_leaf(std::string_view theirs) {
  constexpr std::array<std::string_view, 4> norm{"gamma", "beta", "moving_mean", "moving_variance"};
  const auto found = std::ranges::find(norm, theirs);
  return found != norm.end() ? static_cast<int>(found - norm.begin()) : static_cast<int>(theirs == "bias");
}

/// Their name of a layer: "stage2/block0/conv_proj" is "conv3_block1_0_conv".
std::string name_of(std::string_view layer) {
  if (layer == "init_conv") return "conv1_conv";
  if (layer == "init_bn") return "conv1_bn";
  const auto parts = parts_of(layer);
  if (parts.size() != 3) return {};
  const auto stage = number_after(parts[0], "stage"), block = number_after(parts[1], "block");
  for (const std::string_view kind : {"conv", "bn"}) {
    const std::string prefix = fmt::format("{}_", kind);
    const auto number = parts[2] == prefix + "proj" ? 0 : number_after(parts[2], prefix);
    if (stage && block && number) return fmt::format("conv{}_block{}_{}_{}", *stage + 1, *block + 1, *number, kind);
  }
  return {};
}

/// A layer's place in the order in which Keras lists a model's: the projection stands before the third convolution, but behind
/// the two others' norms.
struct Order {
  int stage = 0, block = 0, place = 0;
  auto operator<=>(const Order&) const = default;
};
Order order_of(std::string_view layer) {
  const auto parts = parts_of(layer);
  if (parts.size() != 3) return {};
  const std::string_view which = parts[2].substr(parts[2].find('_') + 1);
  const int number = which == "proj" ? 0 : which[0] - '0';
  return {number_after(parts[0], "stage").value_or(0), number_after(parts[1], "block").value_or(0),
          number == 0 ? 5 : 2 * number};
}

std::optional<std::string> prefix_before(std::span<const std::string> names, std::string_view end) {
  std::optional<std::string> shortest;
  for (const std::string& name : names) {
    if (!name.ends_with(end)) continue;
    std::string prefix = name.substr(0, name.size() - end.size());
    if (!prefix.empty() && !prefix.ends_with('/')) continue;
    if (!shortest || prefix.size() < shortest->size()) shortest = std::move(prefix);
  }
  return shortest;
}

}  // namespace

Names::Names(std::span<const Variable> variables, std::span<const std::string> names) {
  std::map<Order, std::string> convolutions, norms;
  for (const Variable& variable : variables) {
    const std::string layer = variable.name.substr(0, variable.name.rfind('/'));
    const std::string theirs = name_of(layer);
    if (theirs.empty()) continue;
    (theirs.ends_with("_bn") ? norms : convolutions).emplace(order_of(layer), layer);
    layers_[layer] = theirs;
  }
  for (const std::string& name : names) {
    const auto parts = parts_of(name);
    constexpr std::size_t deepest = 4;  // a layer's name is among the last parts
    for (std::size_t i = parts.size() - std::min(parts.size(), deepest); i + 1 < parts.size(); ++i)
      places_.emplace(Key{parts[i], without_number(parts.back())}, name);
  }
  const auto inner = prefix_before(names, first_numbered);
  numbered_ = inner.has_value();
  if (!numbered_) {
    const auto head = std::ranges::find_if(heads, [&](const char* each) { return places_.contains({each, "kernel"}); });
    layers_["dense"] = head != heads.end() ? *head : heads.front();
    return;
  }
  inner_ = *inner;
  outer_ = prefix_before(names, head_numbered).value_or(inner_);
  for (const auto& [order_and_layer, kind] : {std::pair(&convolutions, "conv2d"), std::pair(&norms, "batch_normalization")}) {
    int number = 0;
    for (const auto& [order, layer] : *order_and_layer) {
      layers_[layer] = number == 0 ? kind : fmt::format("{}_{}", kind, number);
      ++number;
    }
  }
  layers_["dense"] = "dense";
}

bool Names::recognizes(std::span<const std::string> names) {
  const bool numbered = prefix_before(names, first_numbered) && prefix_before(names, last_numbered);
  bool first = false, inner = false;
  for (const std::string& name : names) {
    for (const std::string_view part : parts_of(name)) {
      first = first || part == "conv1_conv";
      inner = inner || part == "conv2_block1_1_conv";
    }
  }
  return numbered || (first && inner);
}

std::string Names::path(const std::string& layer, std::string_view leaf) const {
  if (numbered_) {
    return fmt::format("{}layers/{}/vars/{}", layer == "dense" ? outer_ : inner_, layer, number_of_leaf(leaf));
  }
  const auto found = places_.find({layer, std::string(leaf)});
  return found != places_.end() ? found->second : fmt::format("{0}/{0}/{1}:0", layer, leaf);
}

std::string Names::of(std::string_view variable) const {
  const std::size_t slash = variable.rfind('/');
  if (slash == std::string_view::npos) return {};
  const auto layer = layers_.find(variable.substr(0, slash));
  const std::string_view leaf = their_leaf(variable.substr(slash + 1));
  return layer == layers_.end() || leaf.empty() ? std::string() : path(layer->second, leaf);
}

std::string Names::bias_before(std::string_view variable) const {
  if (!variable.ends_with("/mean")) return {};
  std::string layer(variable.substr(0, variable.rfind('/')));
  const std::size_t norm = layer.rfind("bn");
  if (norm == std::string::npos) return {};
  const auto convolution = layers_.find(layer.replace(norm, 2, "conv"));
  return convolution == layers_.end() ? std::string() : path(convolution->second, "bias");
}

}  // namespace qfw::keras
