#include "names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "qfw/text.h"

namespace qfw::torchvision {

namespace {

constexpr std::string_view first_of_torchvision = "conv1.weight",
                           first_of_transformers = "embedder.embedder.convolution.weight";

std::pair<std::string_view, std::string_view> cut(std::string_view path) {
  const std::size_t slash = path.find('/');
  if (slash == std::string_view::npos) return {path, {}};
  return {path.substr(0, slash), path.substr(slash + 1)};
}

/// What a variable is called within its layer.
std::string_view leaf_name(std::string_view leaf, bool is_norm) {
  if (leaf == "kernel" && !is_norm) return "weight";
  if (leaf == "bias" && !is_norm) return "bias";
  if (!is_norm) return {};
  if (leaf == "gamma") return "weight";
  if (leaf == "beta") return "bias";
  if (leaf == "mean") return "running_mean";
  return leaf == "variance" ? "running_var" : "";
}

/// A layer of a block: "conv_2" is the second convolution, "bn_proj" the norm of the projection.
struct Part {
  bool is_norm = false;
  int number = 0;  ///< from 1 on; 0: of the projection
};
std::optional<Part> part_of(std::string_view layer) {
  for (const bool is_norm : {false, true}) {
    const std::string_view kind = is_norm ? "bn_" : "conv_";
    if (!layer.starts_with(kind)) continue;
    if (layer.substr(kind.size()) == "proj") return Part{is_norm, 0};
    if (const auto number = number_after(layer, kind); number && *number > 0) return Part{is_norm, *number};
  }
  return std::nullopt;
}

std::string torchvision_layer(int stage, int block, const Part& part) {
  if (part.number == 0) return fmt::format("layer{}.{}.downsample.{}", stage, block, part.is_norm ? 1 : 0);
  return fmt::format("layer{}.{}.{}{}", stage, block, part.is_norm ? "bn" : "conv", part.number);
}

std::string transformers_layer(int stage, int block, const Part& part) {
  const std::string place = part.number == 0 ? "shortcut" : fmt::format("layer.{}", part.number - 1);
  return fmt::format("encoder.stages.{}.layers.{}.{}.{}", stage - 1, block, place,
                     part.is_norm ? "normalization" : "convolution");
}

/// What stands before `end` in the shortest name that ends so, of those in which neither a layer of a block nor a group does.
std::optional<std::string> prefix_before(std::span<const std::string> names, std::string_view end) {
  std::optional<std::string> shortest;
  for (const std::string& name : names) {
    if (!name.ends_with(end)) continue;
    std::string prefix = name.substr(0, name.size() - end.size());
    if ((!prefix.empty() && !prefix.ends_with('.')) || prefix.find("layer") != std::string::npos ||
        prefix.find('/') != std::string::npos)
      continue;
    if (!shortest || prefix.size() < shortest->size()) shortest = std::move(prefix);
  }
  return shortest;
}

}  // namespace

std::optional<Names> Names::found_in(std::span<const std::string> names) {
  for (const bool transformers : {false, true}) {
    const auto prefix = prefix_before(names, transformers ? first_of_transformers : first_of_torchvision);
    if (!prefix) continue;
    Names found{transformers, *prefix};
    const bool all = std::ranges::all_of(
        std::initializer_list<const char*>{"init_bn/mean", "stage1/block0/conv_1/kernel", "stage1/block0/bn_1/variance"},
        [&](const char* variable) { return std::ranges::find(names, found.of(variable)) != names.end(); });
    if (all) return found;
  }
  return std::nullopt;
}

std::string Names::of(std::string_view variable) const {
  const auto [first, rest] = cut(variable);
  if (first == "dense") {
    const std::string_view leaf = leaf_name(rest, false);
    if (leaf.empty()) return {};
    if (!transformers) return fmt::format("{}fc.{}", prefix, leaf);
    constexpr std::string_view inner = "resnet.";
    const std::string_view outer(prefix.data(), prefix.size() - (prefix.ends_with(inner) ? inner.size() : 0));
    return fmt::format("{}classifier.1.{}", outer, leaf);
  }
  if (first == "init_conv" || first == "init_bn") {
    const bool is_norm = first == "init_bn";
    const std::string_view leaf = leaf_name(rest, is_norm);
    if (leaf.empty()) return {};
    if (!transformers) return fmt::format("{}{}.{}", prefix, is_norm ? "bn1" : "conv1", leaf);
    return fmt::format("{}embedder.embedder.{}.{}", prefix, is_norm ? "normalization" : "convolution", leaf);
  }
  const auto [second, inner] = cut(rest);
  const auto [layer, leaf] = cut(inner);
  const auto stage = number_after(first, "stage"), block = number_after(second, "block");
  const auto part = part_of(layer);
  if (!stage || !block || !part || *stage < 1) return {};
  const std::string_view name = leaf_name(leaf, part->is_norm);
  if (name.empty()) return {};
  return fmt::format("{}{}.{}", prefix,
                     transformers ? transformers_layer(*stage, *block, *part) : torchvision_layer(*stage, *block, *part), name);
}

}  // namespace qfw::torchvision
