#include <fmt/format.h>
#include <fmt/ranges.h>

#include "qfw/augment.h"
#include "qfw/error.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"
#include "recipe/gather.h"
#include "recipe/glob.h"
#include "recipe/resolver.h"
#include "recipe/run_name.h"
#include "util/nearest.h"

namespace qfw::recipe {
namespace {

/// Makes an object just to hear what its constructor thinks of its options together. Data sets, backends and communicators may
/// open files and devices, so they have to wait.
template <class Interface>
void try_out(const Resolved& resolved, Problems& problems) {
  const Section& section = resolved.section(Interface::kind);
  const auto* factory = dynamic_cast<const Factory<Interface>*>(section.factory);
  if (factory == nullptr || problems.in(section.name)) return;
  try {
    factory->make(section.settings);
  } catch (const std::exception& error) {
    problems.add(section.place, section.name, section.key, fmt::format("{}: {}", section.chosen, error.what()));
    problems.caused_by(error);
  }
}

/// What is wrong with a rule that matches none of `paths`; empty if it does.
std::string unmatched(const Rule& rule, std::span<const std::string> paths) {
  for (const std::string& path : paths) {
    if (glob_match(rule.glob, path)) return {};
  }
  const std::string near = nearest(rule.glob, paths);
  if (!near.empty()) return "matches no layer; nearest valid name: " + near;
  if (paths.empty()) return "matches no layer; the model has none";
  if (paths.size() <= 4) return fmt::format("matches no layer; there are {}", fmt::join(paths, ", "));
  return fmt::format("matches no layer; there are {}, {}, ..., {}", paths[0], paths[1], paths.back());
}

}  // namespace

void check_globs(const Resolved& resolved, std::span<const std::string> paths, Problems& problems) {
  for (const Rule& rule : resolved.rules) {
    const std::string wrong = unmatched(rule, paths);
    if (!wrong.empty()) problems.add(rule.place, std::string(layer_prefix) + rule.glob, "", wrong);
  }
}

std::shared_ptr<const Resolved> resolve(std::string_view text, const std::filesystem::path& label,
                                        const std::vector<std::string>& overrides, std::shared_ptr<const PluginSource> plugins,
                                        const LoadOptions& options, Problems& problems) {
  const std::vector<Source> sources = gather(text, label, overrides, *plugins, problems);
  auto resolved = std::make_shared<Resolved>();
  resolved->label = label.string();
  resolved->run_name = run_name(label);
  resolved->plugins = plugins;
  Resolver(sources, sources[sources.size() - 2], *plugins, options, problems).resolve(*resolved);
  try_out<Layer>(*resolved, problems);
  try_out<Quantizer>(*resolved, problems);
  try_out<Schedule>(*resolved, problems);
  try_out<Optimizer>(*resolved, problems);
  try_out<Augment>(*resolved, problems);
  return resolved;
}

}  // namespace qfw::recipe
