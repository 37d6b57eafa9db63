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
#include "qfw/quantizer.h"
#include "qfw/registry.h"
#include "recipe/settings.h"

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

class Recipe;
namespace recipe {
struct Resolved;
}

struct LoadOptions {
  bool dataset_optional = false;  ///< a data set plugin that is not there is no error (explain, bench)
  bool data_only = false;         ///< of plugins, only data set and augment need be named and there (data)
  /// If given, called when [model] is valid and there are [layer:] sections, so that globs that match nothing are reported
  /// with all other errors; what it throws is left for later.
  std::function<std::vector<std::string>(const Recipe&)> layer_paths{};
};

/// A resolved recipe: every section with every option's value, checked. Copies share the quantizers made so far.
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
  const std::string& stem() const;                ///< the file's name without folder and extension
  std::filesystem::path run_dir() const;          ///< run.dir with ~ expanded, or runs/<stem>
  std::filesystem::path dataset_cache_dir() const;  ///< dataset.cache_dir with ~ expanded; may be empty
  const std::vector<std::string>& notes() const;  ///< for the log: keys that were dropped, and the like

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

  /// Stage two, when the model's layers are known: reports every [layer:GLOB] that matches none of them, and makes the
  /// quantizers of them all, so that quantizers() is complete.
  void check_layers(std::span<const std::string> paths) const;

  /// The quantizer of a layer: one instance for each distinct set of options. Thread-safe.
  std::shared_ptr<const Quantizer> quantizer_for(std::string_view path) const;
  std::size_t quantizer_index(std::string_view path) const;          ///< its place in quantizers()
  std::vector<std::shared_ptr<const Quantizer>> quantizers() const;  ///< those made so far, in order of first use
  Settings quantizer_settings(std::string_view path) const;          ///< the options that apply to a layer

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
  explicit Recipe(std::shared_ptr<const recipe::Resolved> resolved) : resolved_(std::move(resolved)) {}
  const FactoryBase& factory(std::string_view kind) const;
  void guarded(std::string_view kind, const std::function<void()>& make) const;

  std::shared_ptr<const recipe::Resolved> resolved_;  ///< immutable but for the quantizers made so far
};

}  // namespace qfw
