#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "recipe/recipe.h"
#include "recipe/resolved.h"
#include "recipe/sections.h"

namespace qfw::recipe {

/// Merges sources into a Resolved, collecting what is wrong on the way.
class Resolver {
 public:
  Resolver(const std::vector<Source>& sources, const Source& recipe, const PluginSource& plugins, const LoadOptions& options,
           Problems& problems);

  void resolve(Resolved& resolved);

 private:
  /// What sources up to some point say of a section.
  struct Draft {
    const SectionKind* kind = nullptr;
    std::vector<Option> core, own;  ///< options; `own` of the plugin chosen so far
    std::string chosen;
    const FactoryBase* factory = nullptr;
    std::string missing;  ///< why there is no factory
    std::optional<Error> broken;
    const Entry* name = nullptr;
    std::map<std::string, const Entry*> given;

    bool has_rules() const { return std::string_view(kind->name) == "quantizer"; }
  };
  struct DraftRule {
    const Entry* header = nullptr;
    std::string glob;
    bool had_keys = false;
    std::vector<const Entry*> given;
  };

  void check_sections();
  Draft merge(const SectionKind& kind);
  void choose(Draft& draft, const std::string& written);
  void note_dropped(const Draft& draft, const Entry& entry);
  void drop(Draft& draft, const std::function<bool(const Entry&)>& unfit);
  void drop_lacking(Draft& draft);
  void drop_replaced(Draft& draft, const Source& source);
  bool lacks(const Draft& draft, const Entry& entry) const;
  bool judge(const Draft& draft, const Entry& entry);
  bool judge_for_layer(const Draft& draft, const Entry& entry);
  void judge_earlier(Draft& draft);
  void take_rules(Draft& draft, const Source& source);
  void check_choice(const Draft& draft);
  Section finish(const Draft& draft, Resolved& resolved);
  void inherit(Resolved& resolved);
  const Value* inherited(const Resolved& resolved, const Value& value, int depth) const;
  void finish_rules(const Draft& quantizer, Resolved& resolved);
  void note_unused(const Draft& draft);
  std::string who_has(const Draft& draft, const std::string& key) const;
  bool unknown_key(const Entry& entry, const std::string& what, const std::vector<std::string>& known);  ///< false

  const std::vector<Source>& sources_;
  const Source& recipe_;
  const PluginSource& plugins_;
  const LoadOptions& options_;
  Problems& problems_;
  std::vector<DraftRule> rules_;
  std::vector<std::string> notes_;
};

}  // namespace qfw::recipe
