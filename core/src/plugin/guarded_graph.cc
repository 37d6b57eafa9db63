#include <fmt/format.h>

#include "graph/builder_access.h"
#include "plugin/guard.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"

// Forwarders of the kinds that describe the computation; see guard.h.
namespace qfw {

namespace {

/// The layer that was being described.
auto layer_of(const GraphBuilder& g) {
  return [&g] {
    const std::string& path = BuilderAccess::failed_path(g);
    return path.empty() ? std::string() : "layer " + path;
  };
}

auto step_of(const Clock& clock) {
  return [&clock] { return fmt::format("step {}", clock.step); };
}

class GuardedLayer final : public Guard<Layer> {
 public:
  using Guard::Guard;
  Value build(GraphBuilder& g, Value x, std::int64_t classes) const override {
    return call("build()", layer_of(g), [&] { return inner().build(g, x, classes); });
  }
};

class GuardedQuantizer final : public Guard<Quantizer> {
 public:
  using Guard::Guard;
  Phase phase(const Clock& clock) const override {
    return call("phase()", step_of(clock), [&] { return inner().phase(clock); });
  }
  std::int64_t next_phase_change(const Clock& clock) const override {
    return call("next_phase_change()", step_of(clock), [&] { return inner().next_phase_change(clock); });
  }
  std::string phase_name(Phase phase) const override {
    return call(
        "phase_name()", [&] { return fmt::format("phase {}", phase); }, [&] { return inner().phase_name(phase); });
  }
  std::vector<Observed> observed() const override {
    return call("observed()", [&] { return inner().observed(); });
  }
  Operand quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value operand, Phase phase) const override {
    return call("quantize()", layer_of(g), [&] { return inner().quantize(g, site, role, operand, phase); });
  }
  std::pair<Operand, Operand> quantize_both(GraphBuilder& g, const MatmulSite& site, Value src, Value weights, Phase phase,
                                            bool integer) const override {
    return call("quantize()", layer_of(g), [&] { return inner().quantize_both(g, site, src, weights, phase, integer); });
  }
};

class GuardedOptimizer final : public Guard<Optimizer> {
 public:
  using Guard::Guard;
  void update(GraphBuilder& g, Value parameter, Value gradient, Value rate) const override {
    call("update()", layer_of(g), [&] { inner().update(g, parameter, gradient, rate); });
  }
  void update_all(GraphBuilder& g, std::span<const Trainable> all, Value rate) const override {
    call("update()", layer_of(g), [&] { inner().update_all(g, all, rate); });
  }
};

class GuardedSchedule final : public Guard<Schedule> {
 public:
  using Guard::Guard;
  double value(const Clock& clock) const override {
    return call("value()", step_of(clock), [&] { return inner().value(clock); });
  }
  std::vector<std::string> notes(const Clock& end) const override {
    return call("notes()", step_of(end), [&] { return inner().notes(end); });
  }
};

}  // namespace

std::unique_ptr<Layer> guarded(PluginNamePtr plugin, std::unique_ptr<Layer> inner) {
  return std::make_unique<GuardedLayer>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Quantizer> guarded(PluginNamePtr plugin, std::unique_ptr<Quantizer> inner) {
  return std::make_unique<GuardedQuantizer>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Optimizer> guarded(PluginNamePtr plugin, std::unique_ptr<Optimizer> inner) {
  return std::make_unique<GuardedOptimizer>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Schedule> guarded(PluginNamePtr plugin, std::unique_ptr<Schedule> inner) {
  return std::make_unique<GuardedSchedule>(std::move(plugin), std::move(inner));
}

}  // namespace qfw
