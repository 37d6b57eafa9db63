#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qfw/export.h"
#include "qfw/variable.h"

namespace qfw {

/// Another system's configuration files and weights, so that the core knows no other system's names. Behind
/// `base_config_filename`, `qfw hparams`, `qfw import` and `qfw export`. What a format has no words for is an error that names
/// it (Error::Category::usage), never left out.
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
    std::string origin;  ///< where it stood in the file, for messages: "blocks[0].conv_1.bits"; of required(): why
  };
  /// The recipe keys that `text`, the content of a file, stands for. Throws Error::Category::usage naming the offending key.
  virtual std::vector<Setting> to_recipe(std::string_view text) const = 0;
  /// What such a file takes for granted and a recipe has to say (the data set), for a file that stands alone.
  virtual std::vector<Setting> assumed() const { return {}; }

  /// A recipe key that users of the other system know under another word. Recipes that this format serves take both.
  struct Alias {
    std::string section, key;  ///< the recipe's
    std::string written;       ///< the other word for the key
    /// Other words for values, and what they stand for; whichever word the key has, and whatever the case. The name of a plugin
    /// that is there is never another word.
    std::vector<std::pair<std::string, std::string>> values;
  };
  virtual std::vector<Alias> aliases() const { return {}; }

  /// A resolved run: every setting of every section, and the quantizer's options layer by layer.
  struct Run {
    std::string description;
    std::vector<Setting> settings;  ///< `name` of the plugin sections among them; values as recipes write them
    struct Layer {
      std::string path;  ///< in the order of the computation
      bool is_dense = false, src_signed = false;
      std::vector<std::pair<std::string, std::string>> quantizer;  ///< option, value: what holds for this layer
    };
    std::vector<Layer> layers;
  };
  /// A form in which the other system writes its configuration.
  struct Form {
    std::string name, doc;
  };
  virtual std::vector<Form> forms() const { return {}; }  ///< the first is the one a run folder keeps
  /// The file, in one of forms(), that to_recipe() reads back as the same run.
  virtual std::string from_recipe(const Run& run, std::string_view form) const;

  /// An argument of generate(): what the other system's own generator takes.
  struct Flag {
    std::string name, value, doc;  ///< `value` stands for its value in the help
  };
  virtual std::vector<Flag> flags() const { return {}; }
  /// A configuration made from (flag, value), in one of forms().
  virtual std::string generate(std::span<const std::pair<std::string, std::string>> flags, std::string_view form) const;

  /// Where a variable of ours stands in a file of weights: one tensor per name. In HDF5 names are paths below a group.
  struct Tensor {
    std::string variable;       ///< "stage1/block0/conv_1/kernel"
    std::string path;           ///< "params/ResidualBlock_0/conv1/kernel", "layer1.0.conv1.weight"
    std::vector<int> axes;      ///< for each axis of theirs which of ours it is, -1: an extent of 1; empty: the same shape
    DType dtype = DType::f32;   ///< theirs: f32 (stored as a float of any kind), or s32 for whole numbers
    bool not_negative = false;  ///< a variance, say: a value below 0 is damage
    std::string minus{};        ///< another tensor of theirs of the same shape that is subtracted, where the file has it
    bool operator==(const Tensor&) const = default;
  };
  /// Of each variable that the other system has, too; a model is evaluated with no others. In the order of `variables`. `names`
  /// are those of all tensors in the file that is read, sorted; empty for one that is to be written.
  virtual std::vector<Tensor> tensors(std::span<const Variable> variables, std::span<const std::string> names) const;
  /// Whether a file with tensors of these names is, by them, one of this system's.
  virtual bool recognizes(std::span<const std::string> names) const;
  /// Whether a tensor of theirs says nothing of what the network computes (a counter of batches), so that it may be passed
  /// over.
  virtual bool is_incidental(std::string_view name) const;
  /// What a recipe must say for a network with weights of this system to compute what theirs does: a stride in another place,
  /// an epsilon. The recipe that does not is told (section, key, value, why).
  virtual std::vector<Setting> required() const { return {}; }
};

}  // namespace qfw
