#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plugin/catalog.h"
#include "qfw/registry.h"
#include "recipe/settings.h"
#include "recipe/source.h"

namespace qfw {

/// Where a recipe finds plugins: a Catalog, or factories held in memory.
class PluginSource {
 public:
  PluginSource() = default;
  PluginSource(const PluginSource&) = delete;
  PluginSource& operator=(const PluginSource&) = delete;
  virtual ~PluginSource();

  virtual std::vector<std::string> names(std::string_view kind) const = 0;  ///< usable ones
  /// The factory lives as long as the source. Throws, saying what there is, if there is none of that name.
  virtual const FactoryBase& find(std::string_view kind, std::string_view name) const = 0;
};

std::shared_ptr<const PluginSource> plugins_of(const Catalog& catalog);  ///< the catalog outlives it

namespace recipe {
struct Resolved;
}

struct LoadOptions {
  bool dataset_optional = false;  ///< a data set plugin that is not there is no error (explain, bench)
  bool data_only = false;         ///< of plugins, only data set and augment need be named and there (data)
};

/// A resolved recipe: every section with every option's value, checked; immutable. Which layers the globs of its [layer:]
/// sections match, LoadedRecipe checks, or QuantizerSet.
class Recipe {
 public:
  /// Reads `file`, what it includes and its base configuration; `overrides` are `section.key=value`. Precedence: base
  /// configuration < include < recipe < overrides. The catalog outlives the recipe and its copies. Throws one
  /// Error::Category::usage that lists everything wrong, a line each.
  static Recipe load(const std::filesystem::path& file, const std::vector<std::string>& overrides, const Catalog& catalog,
                     const LoadOptions& options = {});
  static Recipe load(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                     std::shared_ptr<const PluginSource> plugins, const LoadOptions& options = {});
  /// The same for text in hand (a checkpoint's); `label` stands for the file in messages, and files it names are relative to
  /// the label's folder.
  static Recipe parse(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                      const Catalog& catalog, const LoadOptions& options = {});
  static Recipe parse(std::string_view text, const std::filesystem::path& label, const std::vector<std::string>& overrides,
                      std::shared_ptr<const PluginSource> plugins, const LoadOptions& options = {});

  const std::string& description() const;
  const std::string& stem() const;                  ///< the file's name without folder and extension
  const std::string& label() const;                 ///< the file, as it was given
  std::filesystem::path run_dir() const;            ///< run.dir with ~ expanded, or runs/<stem>
  std::filesystem::path dataset_cache_dir() const;  ///< dataset.cache_dir with ~ expanded; may be empty
  const std::vector<std::string>& notes() const;    ///< for the log: keys that were dropped, and the like

  const CoreSettings& core() const;
  const RunSettings& run() const { return core().run; }
  const TrainSettings& train() const { return core().train; }
  const EvalSettings& eval() const { return core().eval; }
  const CheckpointSettings& checkpoint() const { return core().checkpoint; }
  const MetricsSettings& metrics() const { return core().metrics; }
  const QuantizerSettings& quantizer() const { return core().quantizer; }
  const BackendSettings& backend() const { return core().backend; }
  const OptimizerSettings& optimizer() const { return core().optimizer; }
  const DatasetSettings& dataset() const { return core().dataset; }

  /// The plugin's name in a section (the section is the kind): "quantizer" -> "weights_and_auto_acts".
  const std::string& name(std::string_view kind) const;
  /// Its own options, all of them, resolved.
  const Settings& settings(std::string_view kind) const;
  /// False only under LoadOptions::dataset_optional.
  bool dataset_available() const;

  /// A new object of the section whose kind is Interface's. What its constructor throws is given section, file and line.
  template <class Interface>
  std::unique_ptr<Interface> make() const {
    const FactoryBase& base = factory(Interface::kind);
    const auto* typed = dynamic_cast<const Factory<Interface>*>(&base);
    if (typed == nullptr) fail(Error::Category::internal, "recipe", "factory of another type than its kind", base.name);
    std::unique_ptr<Interface> made;
    guarded(Interface::kind, [&] { made = typed->make(settings(Interface::kind)); });
    return made;
  }

  Settings quantizer_settings(std::string_view path) const;  ///< the options that apply to a layer

  /// Each [layer:GLOB] that leaves every one of these layers with the options it would have without it.
  std::vector<std::string> idle_layer_sections(std::span<const std::string> paths) const;

  /// The resolved recipe as INI: loads to the same recipe. Without [run] it depends on neither place nor seed.
  std::string text(bool with_run_section = true) const;

  /// One line of `qfw explain`.
  struct Row {
    std::string section, key, value;
    std::string origin;  ///< "default", "file:line", "command line", "schedule.num_epochs"
    std::string doc;
    bool is_default = false;  ///< wherever it comes from, the value is the option's default
  };
  std::vector<Row> table() const;

 private:
  friend class LoadedRecipe;
  friend class QuantizerSet;
  explicit Recipe(std::shared_ptr<const recipe::Resolved> resolved) : resolved_(std::move(resolved)) {}
  const FactoryBase& factory(std::string_view kind) const;
  void guarded(std::string_view kind, const std::function<void()>& make) const;

  std::shared_ptr<const recipe::Resolved> resolved_;
};

/// A recipe that was read, and what is wrong with it so far. Its model alone can say which layers there are, so the globs of
/// [layer:] sections are held against them in a step of their own, and still all mistakes are told at once.
class LoadedRecipe {
 public:
  /// As Recipe's, but without throwing for what is wrong with a recipe that can be read.
  static LoadedRecipe load(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                           std::shared_ptr<const PluginSource> plugins, const LoadOptions& options = {});
  static LoadedRecipe parse(std::string_view text, const std::filesystem::path& label,
                            const std::vector<std::string>& overrides, std::shared_ptr<const PluginSource> plugins,
                            const LoadOptions& options = {});

  /// With defaults in place of what is wrong.
  const Recipe& recipe() const { return recipe_; }
  /// Whether there are globs to check, and a valid [model] to ask for its layers.
  bool awaits_layers() const;
  /// Finds every [layer:GLOB] that matches none of `paths`.
  void check_layers(std::span<const std::string> paths);
  /// The recipe, if nothing is wrong. Throws one Error::Category::usage that lists everything, a line each.
  Recipe checked() const;

 private:
  LoadedRecipe(Recipe recipe, recipe::Problems problems) : recipe_(std::move(recipe)), problems_(std::move(problems)) {}

  Recipe recipe_;
  recipe::Problems problems_;
};

}  // namespace qfw
