#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "qfw/export.h"

namespace qfw {

/// A foreign configuration file as recipe keys, so that the core knows no other system's names.
class QFW_API Format {
 public:
  using Interface = Format;
  static constexpr const char* kind = "format";  ///< its word in recipes

  Format() = default;
  Format(const Format&) = delete;
  Format& operator=(const Format&) = delete;
  virtual ~Format();

  struct Setting {
    std::string section;  ///< "schedule", "layer:stage1/block0/conv_1"
    std::string key, value;
    std::string origin;   ///< where it stood in the file, for messages: "model_hparams.residual_blocks[0].conv_1.weight_prec"
  };
  /// The recipe keys that `text`, the content of a file, stands for. Throws Error::Category::usage naming the offending key.
  virtual std::vector<Setting> to_recipe(std::string_view text) const = 0;
};

}  // namespace qfw
