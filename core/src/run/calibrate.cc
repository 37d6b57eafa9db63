#include "run/calibrate.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "graph/init.h"
#include "io/progress.h"
#include "passes/site_levels.h"
#include "qfw/error.h"
#include "run/batch_moments.h"
#include "run/input_histograms.h"
#include "util/counted.h"
#include "util/parallel.h"

namespace qfw {

namespace {

using Histogram = Calibrator::Histogram;

/// A layer, and the variable that holds the bounds of its input.
struct Target {
  MatmulSite site;
  Variable bounds;
  std::optional<Calibrator::Levels> levels{};

  bool per_channel() const { return bounds.type.shape.count() > 1; }
};

class Calibrating {
 public:
  Calibrating(Session& session, const Checkpoint& checkpoint, const Calibrator& calibrator, const CalibrationSettings& settings)
      : session_(session), calibrator_(calibrator), settings_(settings) {
    session.continue_from({.step = settings.step, .recipe = {}, .data = {}, .warm_start = true, .seed = {}, .metrics = {}});
    result_.variables = session.training_graph_at(settings.step).variables;
    evaluated_ = session.evaluation_graph_at(settings.step).variables;
    description_ = session.describe(session.clock(settings.step, false), 1);
    sites_ = matmul_sites(description_);
    find_targets();
    take(checkpoint);
  }

  Calibration run() {
    ask_quantizers();
    std::vector<WantedInput> wanted;
    for (const Target& target : targets_) wanted.push_back({target.site.path, target.per_channel()});
    const InputHistograms histograms = input_histograms(session_, wanted, settings_.images, settings_.step, writer());
    result_.images = histograms.images;
    refuse_zeros(histograms);
    for (const Target& target : targets_) {
      choose(target, histograms.tensors[histograms.tensor_of.at(target.site.path)].parts);
    }
    if (settings_.batches > 0) {
      for (auto& [name, values] : batch_moments(session_, settings_.step, settings_.batches, writer())) {
        result_.values.insert_or_assign(name, values);
      }
    }
    return std::move(result_);
  }

 private:
  /// The part of a name behind SITE/src/ or SITE/weights/: what quantizers declare. None: it is the model's.
  static std::optional<Role> role_of(std::string_view variable, const MatmulSite& site) {
    if (variable.starts_with(site.path + "/src/")) return Role::src;
    if (variable.starts_with(site.path + "/weights/")) return Role::weights;
    return std::nullopt;
  }
  bool is_quantizers(std::string_view variable) const {
    return std::ranges::any_of(sites_, [&](const MatmulSite& site) { return role_of(variable, site).has_value(); });
  }

  void find_targets() {
    for (const MatmulSite& site : sites_) {
      std::vector<const Variable*> bounds;
      for (const Variable& variable : evaluated_) {
        if (variable.role == Variable::Role::operand_bounds && role_of(variable.name, site) == Role::src)
          bounds.push_back(&variable);
      }
      if (bounds.empty()) {
        result_.others.push_back(site.path);
        continue;
      }
      const std::int64_t count = bounds[0]->type.shape.count();
      if (bounds.size() > 1 || (count != 1 && count != site.src.shape.channels())) {
        refuse_quantizer(site.path,
                         fmt::format("{} of {} for {} channels, where one number or one per channel is expected",
                                     counted(bounds.size(), "variable"), bounds[0]->type.str(), site.src.shape.channels()));
      }
      targets_.push_back({.site = site, .bounds = *bounds[0]});
    }
    if (!targets_.empty()) return;
    fail(Error::Category::usage, "calibrate",
         fmt::format("under quantizer {} as the recipe sets it up, no layer's input has bounds in a variable, so there is "
                     "nothing to calibrate",
                     session_.recipe().name("quantizer")),
         session_.recipe().label(),
         "choose --quantizer.name=weights_and_auto_acts with bounds = auto and act_prec given; bounds that are none or a "
         "number are the recipe's own");
  }

  [[noreturn]] void refuse_quantizer(const std::string& path, const std::string& what) const {
    fail(Error::Category::plugin, "calibrate",
         fmt::format("quantizer {} cannot be calibrated: {}", session_.recipe().name("quantizer"), what), "layer " + path,
         "qfw/calibrator.h says what is asked of bounds");
  }

  /// The network: all that is not the optimizer's, and not a quantizer's that was not there.
  void take(const Checkpoint& checkpoint) {
    std::vector<std::string> missing;
    for (const Variable& variable : result_.variables) {
      const bool in_evaluation = std::ranges::find(evaluated_, variable.name, &Variable::name) != evaluated_.end();
      if (variable.kind == Variable::Kind::state && !in_evaluation) continue;
      if (variable.role == Variable::Role::operand_statistics) continue;
      const bool stored =
          std::ranges::find(checkpoint.variables(), variable.name, &CheckpointVariable::name) != checkpoint.variables().end();
      if (!stored && is_quantizers(variable.name)) continue;
      if (!stored) {
        missing.push_back(variable.name);
        continue;
      }
      std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
      checkpoint.read(variable.name, {variable.type, std::as_writable_bytes(std::span(values))});
      result_.values.emplace(variable.name, std::move(values));
    }
    if (missing.empty()) return;
    throw CheckpointError(CheckpointError::Kind::misfit,
                          fmt::format("calibrate: the checkpoint lacks {} of the model's variables, {}{}", missing.size(),
                                      missing[0], missing.size() > 1 ? " and others" : ""));
  }

  /// The variables of a graph become what is known of them so far.
  std::function<void(const Graph&)> writer() {
    return [this](const Graph& graph) {
      for (const Variable& variable : graph.variables) {
        std::vector<float> initial(static_cast<std::size_t>(variable.type.shape.count()));
        const auto known = result_.values.find(variable.name);
        if (known == result_.values.end()) initialize(variable, session_.seed(), initial);
        session_.write(variable.name,
                       {variable.type, std::as_bytes(std::span(known == result_.values.end() ? initial : known->second))});
      }
    };
  }

  /// What their scales are under bounds of 1, and that they go with the bounds.
  void ask_quantizers() {
    const Activity asking("asking quantizers for their levels");
    std::set<std::string, std::less<>> paths;
    for (const Target& target : targets_) paths.insert(target.site.path);
    const SiteLevels levels(description_, sites_, paths);
    const Session::Compiled compiled = session_.compile(levels.graph());
    const auto under_one = fetched(compiled, 1), under_two = fetched(compiled, 2);
    for (Target& target : targets_) {
      const auto site = std::ranges::find(levels.sites(), target.site.path, &SiteLevels::Site::path);
      if (site == levels.sites().end())
        refuse_quantizer(target.site.path, "it has bounds, but gives the input no grid, or only together with the weights'");
      target.levels = SiteLevels::levels(*site, under_one[site->scale], under_one[site->codes]);
      const double one = under_one[site->scale].front(), two = under_two[site->scale].front();
      if (!(one > 0) || !(std::abs(one / (2 * two) - 1) < 1e-3)) {
        refuse_quantizer(target.site.path,
                         fmt::format("bounds of 1 and 2 give scales of {} and {}, which are not as 2 to 1", one, two));
      }
    }
  }

  std::vector<std::vector<float>> fetched(const Session::Compiled& compiled, float bound) {
    const VariableValues before = result_.values;
    for (const Target& target : targets_) {
      result_.values[target.bounds.name].assign(static_cast<std::size_t>(target.bounds.type.shape.count()), bound);
    }
    writer()(compiled.graph);
    result_.values = before;
    std::vector<std::vector<float>> values;
    Session::Exchange exchange;
    for (const Fetch& fetch : compiled.graph.fetches) {
      values.emplace_back(static_cast<std::size_t>(compiled.graph.type(fetch.use).shape.count()));
    }
    for (std::size_t f = 0; f < values.size(); ++f) {
      exchange.fetches.push_back(
          {compiled.graph.type(compiled.graph.fetches[f].use), std::as_writable_bytes(std::span(values[f]))});
    }
    session_.replicas().each([&](int i) {
      if (i == 0) compiled.executables.front()->run({.index = settings_.step, .seed = session_.seed()}, {}, exchange.fetches);
    });
    return values;
  }

  void refuse_zeros(const InputHistograms& histograms) const {
    std::vector<std::string> empty;
    for (const Target& target : targets_) {
      const auto& parts = histograms.tensors[histograms.tensor_of.at(target.site.path)].parts;
      if (std::ranges::all_of(parts, [](const Histogram& part) { return part.largest == 0; }))
        empty.push_back(target.site.path);
    }
    if (empty.empty()) return;
    fail(Error::Category::data, "calibrate",
         fmt::format("in {}, nothing but zeros came to {}, so no bound can be chosen", counted(histograms.images, "image"),
                     fmt::join(empty, ", ")),
         {},
         "look at more of them (--images), or at the weights before these layers; bounds = NUMBER in a [layer:] section "
         "sets one by hand");
  }

  void choose(const Target& target, const std::vector<Histogram>& parts) {
    std::vector<double> bounds(parts.size(), 0);
    parallel_for(session_.backend().threads(), static_cast<std::int64_t>(parts.size()), [&](std::int64_t i) {
      const auto part = static_cast<std::size_t>(i);
      if (parts[part].largest > 0) bounds[part] = calibrator_.bound(parts[part], *target.levels);
    });
    Calibration::Layer layer{.path = target.site.path,
                             .grid = target.levels->grid,
                             .per_channel = target.per_channel(),
                             .channels = target.site.src.shape.channels()};
    double clipped = 0, all = 0;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      all += static_cast<double>(parts[i].zeros);
      if (parts[i].largest == 0) {
        ++layer.empty;
        continue;
      }
      layer.largest = std::max(layer.largest, parts[i].largest);
      layer.least_bound = layer.least_bound == 0 ? bounds[i] : std::min(layer.least_bound, bounds[i]);
      layer.greatest_bound = std::max(layer.greatest_bound, bounds[i]);
      const auto [beyond, count] = beyond_of(parts[i], bounds[i]);
      clipped += beyond;
      all += count;
    }
    layer.clipped = clipped / all;
    std::vector<float>& values = result_.values[target.bounds.name];
    values.clear();
    for (const double bound : bounds) values.push_back(static_cast<float>(bound > 0 ? bound : layer.least_bound));
    result_.layers.push_back(std::move(layer));
  }

  /// How many values lie beyond a bound, as if those of its bin were spread evenly over it; and how many there are.
  static std::pair<double, double> beyond_of(const Histogram& part, double bound) {
    double beyond = 0, all = 0;
    for (std::size_t i = 0; i < part.counts.size(); ++i) {
      const auto count = static_cast<double>(part.counts[i]);
      all += count;
      if (bound < part.largest) beyond += count * std::clamp(static_cast<double>(i + 1) - bound / part.width, 0.0, 1.0);
    }
    return {beyond, all};
  }

  Session& session_;
  const Calibrator& calibrator_;
  CalibrationSettings settings_;
  StepDescription description_;
  std::vector<MatmulSite> sites_;
  std::vector<Variable> evaluated_;  ///< those of an evaluation
  std::vector<Target> targets_;
  Calibration result_;
};

}  // namespace

Calibration calibrate(Session& session, const Checkpoint& checkpoint, const Calibrator& calibrator,
                      const CalibrationSettings& settings) {
  if (!session.replicas().alone()) {
    fail(Error::Category::usage, "calibrate",
         fmt::format("this process has {} of the run's {} replicas", session.replicas().count(), session.replicas().size()), {},
         "calibrate in one process (--communicator.name=single)");
  }
  return Calibrating(session, checkpoint, calibrator, settings).run();
}

}  // namespace qfw
