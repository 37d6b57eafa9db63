#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace qfw::torchvision {

/// Where the tensors of a ResNet are in a state dictionary: torchvision's names, which timm has, too, or those of transformers;
/// behind what wrappers put before them ("module.", "backbone.").
struct Names {
  bool transformers = false;
  std::string prefix{};  ///< of the convolutions: "module.", "resnet."

  /// Of sorted names of a file; none if they are neither's.
  static std::optional<Names> found_in(std::span<const std::string> names);
  /// Of our variable; empty if there is no such tensor there.
  std::string of(std::string_view variable) const;
};

}  // namespace qfw::torchvision
