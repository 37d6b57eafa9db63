#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "qfw/variable.h"

namespace qfw::keras {

/// Where the variables of a ResNet of keras.applications are in a file: by the names of layers in .h5 files
/// ("conv2_block1_1_conv/.../kernel:0"), by their numbers in .weights.h5 files ("layers/conv2d_1/vars/0"). Both may lie below
/// other groups, as those of a model within a model do.
class Names {
 public:
  /// `names` are those in a file; empty for one that is to be written.
  Names(std::span<const Variable> variables, std::span<const std::string> names);

  static bool recognizes(std::span<const std::string> names);
  /// Of our variable; empty if there is no such thing there.
  std::string of(std::string_view variable) const;
  /// The bias of the convolution before a norm, whether it is there or not; empty for what is no mean of a norm.
  std::string bias_before(std::string_view variable) const;

 private:
  using Key = std::pair<std::string, std::string>;  ///< layer, leaf: "conv1_bn", "gamma"
  std::string path(const std::string& layer, std::string_view leaf) const;

  std::map<std::string, std::string, std::less<>> layers_;  ///< ours to theirs: "stage1/block0/bn_1", "conv2_block1_1_bn"
  std::map<Key, std::string> places_;                       ///< in a file of names
  std::string inner_, outer_;                               ///< in a file of numbers: what precedes "layers/", and the head's
  bool numbered_ = false;
};

}  // namespace qfw::keras
