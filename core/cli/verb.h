#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "plugin/catalog.h"

namespace qfw {

/// What stood behind the verb, sorted out.
struct Arguments {
  std::vector<std::string> positional;
  /// Recipe keys, in order, without the dashes: "train.batch_size=64", "layer:init_conv.weight_prec=8",
  /// "base_config_filename=a.json".
  std::vector<std::string> overrides;
  std::map<std::string, std::string, std::less<>>
      options;  ///< declared by the verb, without the dashes; a flag's value is empty

  std::vector<std::pair<std::string, std::string>> others;  ///< --NAME=VALUE that nobody declared, where the verb takes them

  bool has(std::string_view name) const { return options.contains(name); }
  /// The value of an option, or `otherwise` if it was not given.
  std::string get(std::string_view name, std::string_view otherwise = {}) const;
  /// The same as a whole number; throws Error::Category::usage if it is none or less than `min`.
  std::int64_t number(std::string_view name, std::int64_t otherwise, std::int64_t min = 0) const;
};

/// One word of `qfw VERB ...`. Data goes to stdout, everything else to stderr.
struct Verb {
  struct Option {
    std::string name;   ///< without the dashes
    std::string value;  ///< what stands for its value in the help ("FILE"); empty: a flag
    std::string doc;
    bool may_stand_alone = false;  ///< without a value, as a flag; a value then follows behind `=` only
  };

  std::string name;
  std::string positional;  ///< for the help: "RECIPE", "[KIND]"
  std::size_t min_positional = 0, max_positional = 0;
  std::string summary;                                       ///< one line for `qfw --help`
  std::string doc;                                           ///< further lines for `qfw VERB --help`; may be empty
  bool takes_overrides = false;                              ///< whether recipe keys may follow
  bool hidden = false;                                       ///< not for people: left out of `qfw --help`
  bool takes_others = false;                                 ///< undeclared options are the verb's to judge
  std::vector<Option> options;                               ///< --help and --plugin-dir are everybody's and not listed
  std::function<int(const Arguments&, const Catalog&)> run;  ///< returns the exit code; errors are thrown
  /// What plugins add to `qfw VERB --help`, if given, told of the words behind the verb.
  std::function<std::string(const std::vector<std::string>&, const Catalog&)> more_help{};
};

/// Sorts out what follows the verb. Throws Error::Category::usage for what `verb` does not declare.
Arguments parse(const Verb& verb, const std::vector<std::string>& words);

std::string help_of(const Verb& verb);

}  // namespace qfw
