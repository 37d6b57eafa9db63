#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/error.h"
#include "qfw/quantizer.h"
#include "recipe/quantizer_set.h"
#include "recipe/recipe.h"
#include "util/nearest.h"

/// Plugins of every kind in memory, with options of every type.
namespace qfw::testing {

class FakePlugins final : public PluginSource {
 public:
  FakePlugins();
  std::vector<std::string> names(std::string_view kind) const override;
  const FactoryBase& find(std::string_view kind, std::string_view name) const override;

 private:
  Registry registry_;
};

struct FakeQuantizerOptions {
  std::string bounds = "none";
  std::optional<int> weight_prec, act_prec;
  bool weight_half_shift = false;
  std::optional<double> ema_coeff;
  std::string broken = "";  ///< what the constructor complains of
  static void declare(Declare<FakeQuantizerOptions>& option);
};

class FakeQuantizer final : public Quantizer {
 public:
  using Options = FakeQuantizerOptions;
  explicit FakeQuantizer(const Options& options);
  /// From step act_prec on its phase is act_prec.
  Phase phase(const Clock& clock) const override {
    return clock.step < options.act_prec.value_or(0) ? 0 : static_cast<Phase>(options.act_prec.value_or(0));
  }
  std::vector<Observed> observed() const override {
    if (options.bounds != "auto") return {};
    return {{"src/limit", "Limits/limit"}};
  }
  Operand quantize(GraphBuilder&, const MatmulSite&, Role, Value operand, Phase) const override { return operand; }
  const Options options;
};

/// A folder of its own that goes away again.
class Folder {
 public:
  Folder();
  ~Folder();
  std::filesystem::path write(const std::string& name, std::string_view text) const;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline const std::string minimal = "[model]\nname = net\n[dataset]\nname = images\n";

/// A recipe from text, under the name r.ini.
Recipe parse(std::string_view text, const std::vector<std::string>& overrides = {}, const LoadOptions& options = {});
/// The message that parse throws; empty if it does not.
std::string error_of(std::string_view text, const std::vector<std::string>& overrides = {}, const LoadOptions& options = {});
/// A value from Recipe::table().
std::string value_of(const Recipe& recipe, std::string_view section, std::string_view key);

}  // namespace qfw::testing
