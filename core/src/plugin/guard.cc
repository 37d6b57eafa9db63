#include "plugin/guard.h"

#include <fmt/format.h>

#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/calibrator.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/dataset_writer.h"
#include "qfw/error.h"
#include "qfw/exporter.h"
#include "qfw/format.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/schedule.h"

namespace qfw {

namespace {

template <class Interface>
bool guard_if(FactoryBase& base, const PluginNamePtr& plugin) {
  auto* factory = dynamic_cast<Factory<Interface>*>(&base);
  if (factory == nullptr) return false;
  factory->make = [make = std::move(factory->make), plugin](const Settings& settings) {
    auto made = called(
        *plugin, "its constructor", [] { return std::string(); }, [&] { return make(settings); });
    if (made == nullptr) fail(Error::Category::plugin, "plugin", plugin->name + " made no object", plugin->file);
    return guarded(plugin, std::move(made));
  };
  return true;
}

template <class... Interfaces>
bool guard_one_of(FactoryBase& factory, const PluginNamePtr& plugin) {
  return (guard_if<Interfaces>(factory, plugin) || ...);
}

}  // namespace

void guard(FactoryBase& factory, const PluginNamePtr& plugin) {
  if (guard_one_of<Augment, Backend, Calibrator, Communicator, Dataset, DatasetWriter, Exporter, Format, Layer, Optimizer,
                   Quantizer, Schedule>(factory, plugin)) {
    return;
  }
  fail(Error::Category::plugin, "plugin", fmt::format("{} is of a kind that this qfw does not know", plugin->name),
       plugin->file);
}

}  // namespace qfw
