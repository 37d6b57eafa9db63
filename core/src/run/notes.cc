#include "run/notes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "run/phase_check.h"
#include "run/phases.h"
#include "util/counted.h"

namespace qfw {

namespace {

using Side = QuantizedSite::Side;

/// One operand of every layer.
struct Operands {
  const char* name;
  Side QuantizedSite::*side;
};
constexpr Operands both[] = {{"activations", &QuantizedSite::src}, {"weights", &QuantizedSite::weights}};

std::string layers_text(const std::vector<std::string>& paths) {
  constexpr std::size_t shown = 3;
  const auto end = paths.begin() + static_cast<std::ptrdiff_t>(std::min(shown, paths.size()));
  std::string text =
      fmt::format("{} layer{} ({}", paths.size(), paths.size() == 1 ? "" : "s", fmt::join(paths.begin(), end, ", "));
  return text + (paths.size() > shown ? ", ...)" : ")");
}

/// The largest number that a side's codes can stand for, where its scale is a number.
std::optional<double> largest(const Graph& graph, const Side& side) {
  if (!side.grid || side.scale.node < 0) return std::nullopt;
  const Node& scale = graph.nodes[static_cast<std::size_t>(side.scale.node)];
  if (scale.op != Op::constant) return std::nullopt;
  return std::max(std::abs(side.grid->low), std::abs(side.grid->high)) / std::abs(scale.as<Number>().value);
}

class Notes {
 public:
  explicit Notes(const Session& session) : session_(session), total_(session.total_steps()) {}

  std::vector<std::string> all() {
    const Graph end = session_.evaluation_graph_at(total_);
    begins_late(end);
    leaves_nothing(end);
    stays_float(end);
    std::vector<std::string> paths;
    for (const QuantizedSite& site : end.sites) paths.push_back(site.path);
    for (const std::string& section : session_.recipe().idle_layer_sections(paths)) {
      notes_.push_back(fmt::format("{} changes nothing: its layers have these options without it", section));
    }
    if (const auto untrained = untrained_parameters(session_); !untrained.empty()) {
      notes_.push_back(fmt::format("no gradient reaches {} of the parameters, which only weight decay changes: {}",
                                   untrained.size(), fmt::join(untrained, ", ")));
    }
    const Graph step = session_.training_graph_at(total_ - 1);
    if (const auto idle = parameters_without_update(step); !idle.empty()) {
      notes_.push_back(fmt::format("optimizer {} never changes {} of the parameters: {}", session_.recipe().name("optimizer"),
                                   idle.size(), fmt::join(idle, ", ")));
    }
    if (const TrainSettings& train = session_.recipe().train(); train.memory_limit_mib && train.recompute != "auto") {
      notes_.push_back(fmt::format("train.memory_limit_mib = {} has no effect: train.recompute is {}, and only auto heeds it",
                                   *train.memory_limit_mib, train.recompute));
    }
    for (const std::string& note : session_.schedule().notes(session_.clock(total_, false))) notes_.push_back(note);
    for (const std::string& note : of_backend()) notes_.push_back(note);
    return std::move(notes_);
  }

 private:
  template <class Condition>
  std::vector<std::string> layers(const Graph& graph, Condition condition) const {
    std::vector<std::string> paths;
    for (const QuantizedSite& site : graph.sites) {
      if (condition(site)) paths.push_back(site.path);
    }
    return paths;
  }

  void begins_late(const Graph& end) {
    const Graph middle = session_.evaluation_graph_at(total_ / 2 + 1),
                later = session_.evaluation_graph_at(std::max(total_, Session::long_after));
    const auto quantized_in = [](const Graph& graph, const QuantizedSite& site, const Operands& operands) {
      const auto same = std::ranges::find(graph.sites, site.path, &QuantizedSite::path);
      return same != graph.sites.end() && ((*same).*operands.side).grid.has_value();
    };
    for (const Operands& operands : both) {
      const auto never = layers(later, [&](const QuantizedSite& site) {
        return quantized_in(later, site, operands) && !quantized_in(end, site, operands);
      });
      if (!never.empty()) {
        notes_.push_back(fmt::format("{} of {} are never quantized in this run: that would begin after its last step, {}{}",
                                     operands.name, layers_text(never), total_, starts(never.front())));
      }
      const auto late = layers(end, [&](const QuantizedSite& site) {
        return quantized_in(end, site, operands) && !quantized_in(middle, site, operands);
      });
      if (!late.empty()) {
        notes_.push_back(fmt::format("{} of {} stay floats for more than half of the run's {}{}", operands.name,
                                     layers_text(late), counted(total_, "step"), starts(late.front())));
      }
    }
  }

  void leaves_nothing(const Graph& end) {
    constexpr double as_good_as_nothing = 1e-6;
    for (const Operands& operands : both) {
      const auto constant = layers(end, [&](const QuantizedSite& site) {
        const auto& grid = (site.*operands.side).grid;
        return grid && grid->levels() == 1;
      });
      if (!constant.empty()) {
        notes_.push_back(fmt::format("{} of {} have a single level, so all become equal: one bit has two only with half shift",
                                     operands.name, layers_text(constant)));
      }
      const auto clipped = layers(end, [&](const QuantizedSite& site) {
        const auto most = largest(end, site.*operands.side);
        return most && *most > 0 && *most < as_good_as_nothing;
      });
      if (!clipped.empty()) {
        notes_.push_back(
            fmt::format("{} of {} are clipped to a bound of 0, so all become 0", operands.name, layers_text(clipped)));
      }
    }
  }

  /// Integer arithmetic that is asked for and not there.
  void stays_float(const Graph& end) {
    const QuantizerSettings& asked = session_.recipe().quantizer();
    if (session_.recipe().name("quantizer") == "none") return;
    if (asked.backward == "int8" && asked.arithmetic != "integer") {
      notes_.push_back(
          "quantizer.backward = int8 has no effect: it takes the integer weights of quantizer.arithmetic = integer");
    }
    if (asked.arithmetic != "integer") return;
    const auto floats = layers(end, [](const QuantizedSite& site) { return !site.integer; });
    if (floats.empty()) return;
    const auto first = std::ranges::find(end.sites, floats.front(), &QuantizedSite::path);
    const char* options = asked.backward == "int8" ? "arithmetic = integer, with backward = int8," : "arithmetic = integer";
    notes_.push_back(fmt::format("quantizer.{} has no effect on {}: {}", options, layers_text(floats), first->reason));
  }

  /// What holds in every phase: before activations are quantized there are float products that later steps lack.
  std::vector<std::string> of_backend() const {
    std::vector<std::string> notes = session_.backend().notes(session_.training_graph_at(total_ - 1));
    if (notes.empty()) return notes;
    for (const std::int64_t step : first_steps_of_phases(session_)) {
      const auto then = session_.backend().notes(session_.training_graph_at(step));
      std::erase_if(notes, [&](const std::string& note) { return std::ranges::find(then, note) == then.end(); });
    }
    return notes;
  }

  static std::vector<std::string> parameters_without_update(const Graph& graph) {
    std::vector<std::string> idle;
    for (std::size_t i = 0; i < graph.variables.size(); ++i) {
      const bool updated =
          std::ranges::any_of(graph.updates, [&](const auto& update) { return update.first == static_cast<int>(i); });
      if (graph.variables[i].kind == Variable::Kind::parameter && !updated) idle.push_back(graph.variables[i].name);
    }
    return idle;
  }

  /// The quantizer's options that say when something begins, for a person to look at.
  std::string starts(const std::string& layer) const {
    std::vector<std::string> options;
    for (const auto& [name, value] : session_.recipe().quantizer_settings(layer)) {
      if (name.ends_with("start_step")) options.push_back(fmt::format("{} = {}", name, to_string(value)));
    }
    return options.empty() ? "" : fmt::format(" ({})", fmt::join(options, ", "));
  }

  const Session& session_;
  const std::int64_t total_;
  std::vector<std::string> notes_;
};

}  // namespace

std::vector<std::string> notes_on(const Session& session) { return Notes(session).all(); }

}  // namespace qfw
