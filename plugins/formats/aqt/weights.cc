#include "weights.h"

#include <fmt/format.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "qfw/text.h"

namespace qfw::aqt {
namespace {

std::pair<std::string_view, std::string_view> cut(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

/// A variable's place in the network.
struct Place {
  std::optional<std::pair<int, int>> block;  ///< stage, block
  std::string_view layer, rest;              ///< "conv_1", "src/bounds"
};

Place place_of(std::string_view name) {
  Place place;
  auto [first, rest] = cut(name);
  if (const auto stage = number_after(first, "stage")) {
    const auto [second, inner] = cut(rest);
    if (const auto block = number_after(second, "block")) {
      place.block = {*stage, *block};
      std::tie(first, rest) = cut(inner);
    }
  }
  place.layer = first;
  place.rest = rest;
  return place;
}

/// Empty: the original has no such layer.
std::string layer_name(const Place& place) {
  if (!place.block) {
    if (place.layer == "dense") return "DenseAqt_0";
    return place.layer == "init_conv" || place.layer == "init_bn" ? std::string(place.layer) : "";
  }
  if (place.layer == "conv_proj") return "proj_conv";
  if (place.layer == "bn_proj") return "proj_bn";
  for (const std::string_view kind : {"conv", "bn"}) {
    if (const auto number = number_after(place.layer, fmt::format("{}_", kind))) return fmt::format("{}{}", kind, *number);
  }
  return "";
}

/// What stands around the layer's name in the original's path, by the variable's name within its layer.
const std::map<std::string_view, std::pair<const char*, const char*>>& tails() {
  static const std::map<std::string_view, std::pair<const char*, const char*>> all = {
      {"kernel", {"params", "kernel"}},
      {"bias", {"params", "bias"}},
      {"gamma", {"params", "scale"}},
      {"beta", {"params", "bias"}},
      {"mean", {"batch_stats", "mean"}},
      {"variance", {"batch_stats", "var"}},
      {"src/bounds", {"get_bounds", "GetBounds_0/bounds"}},
      {"src/n", {"get_bounds", "GetBounds_0/stats/n"}},
      {"src/mean", {"get_bounds", "GetBounds_0/stats/mean"}},
      {"src/mean_abs", {"get_bounds", "GetBounds_0/stats/mean_abs"}},
      {"src/mean_sq", {"get_bounds", "GetBounds_0/stats/mean_sq"}},
      {"src/mean_batch_min", {"get_bounds", "GetBounds_0/stats/mean_batch_minimum"}},
      {"src/mean_batch_max", {"get_bounds", "GetBounds_0/stats/mean_batch_maximum"}},
  };
  return all;
}

/// Bounds and statistics keep the rank of the layer's input: [1, 1, 1, C], or [1, C] before the dense layer.
std::vector<int> axes_of(const Place& place, const Variable& variable) {
  if (!place.rest.starts_with("src/") || place.rest == "src/n") return {};
  std::vector<int> axes(place.layer == "dense" ? 2 : 4, -1);
  if (variable.type.shape.rank() == 1) axes.back() = 0;
  return axes;
}

}  // namespace

std::vector<Format::Tensor> weights(std::span<const Variable> variables) {
  std::map<std::pair<int, int>, int> blocks;  // in the order of the network, whatever that of the variables
  for (const Variable& variable : variables) {
    if (const Place place = place_of(variable.name); place.block) blocks.emplace(*place.block, 0);
  }
  int count = 0;
  for (auto& [block, number] : blocks) number = count++;

  std::vector<Format::Tensor> tensors;
  for (const Variable& variable : variables) {
    const Place place = place_of(variable.name);
    const std::string layer = layer_name(place);
    const auto tail = tails().find(place.rest);
    if (layer.empty() || tail == tails().end()) continue;
    const std::string block = place.block ? fmt::format("ResidualBlock_{}/", blocks.at(*place.block)) : "";
    const bool square = place.rest == "variance" || place.rest == "src/mean_sq" || place.rest == "src/mean_abs";
    tensors.push_back({variable.name, fmt::format("{}/{}{}/{}", tail->second.first, block, layer, tail->second.second),
                       axes_of(place, variable), place.rest == "src/n" ? DType::s32 : DType::f32, square});
  }
  return tensors;
}

}  // namespace qfw::aqt
