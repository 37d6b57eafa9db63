#pragma once

#include <memory>
#include <utility>

#include "plugin/called.h"
#include "qfw/registry.h"

namespace qfw {

/// Makes what a factory makes stand behind objects that forward each call to the plugin within called(). So whatever a plugin
/// throws, from any method and thread, is an error that names it.
void guard(FactoryBase& factory, const PluginNamePtr& plugin);

/// What those objects have in common. `Interface` is the plugin's.
template <class Interface>
class Guard : public Interface {
 public:
  Guard(PluginNamePtr plugin, std::unique_ptr<Interface> inner) : plugin_(std::move(plugin)), inner_(std::move(inner)) {}
  ~Guard() override {
    const PluginCall call(*plugin_);  // a destructor cannot throw, only end the process: see crash.h
    inner_.reset();
  }

 protected:
  template <class Work>
  decltype(auto) call(const char* method, const Work& work) const {
    return called(
        *plugin_, method, [] { return std::string(); }, work);
  }
  template <class Place, class Work>
  decltype(auto) call(const char* method, const Place& place, const Work& work) const {
    return called(*plugin_, method, place, work);
  }
  const PluginNamePtr& plugin() const { return plugin_; }
  Interface& inner() const { return *inner_; }

 private:
  PluginNamePtr plugin_;
  std::unique_ptr<Interface> inner_;
};

class Augment;
class Backend;
class Calibrator;
class Communicator;
class Dataset;
class DatasetWriter;
class Exporter;
class Format;
class Layer;
class Optimizer;
class Quantizer;
class Schedule;

// One for each kind of plugin.
std::unique_ptr<Augment> guarded(PluginNamePtr plugin, std::unique_ptr<Augment> inner);
std::unique_ptr<Backend> guarded(PluginNamePtr plugin, std::unique_ptr<Backend> inner);
std::unique_ptr<Calibrator> guarded(PluginNamePtr plugin, std::unique_ptr<Calibrator> inner);
std::unique_ptr<Communicator> guarded(PluginNamePtr plugin, std::unique_ptr<Communicator> inner);
std::unique_ptr<Dataset> guarded(PluginNamePtr plugin, std::unique_ptr<Dataset> inner);
std::unique_ptr<DatasetWriter> guarded(PluginNamePtr plugin, std::unique_ptr<DatasetWriter> inner);
std::unique_ptr<Exporter> guarded(PluginNamePtr plugin, std::unique_ptr<Exporter> inner);
std::unique_ptr<Format> guarded(PluginNamePtr plugin, std::unique_ptr<Format> inner);
std::unique_ptr<Layer> guarded(PluginNamePtr plugin, std::unique_ptr<Layer> inner);
std::unique_ptr<Optimizer> guarded(PluginNamePtr plugin, std::unique_ptr<Optimizer> inner);
std::unique_ptr<Quantizer> guarded(PluginNamePtr plugin, std::unique_ptr<Quantizer> inner);
std::unique_ptr<Schedule> guarded(PluginNamePtr plugin, std::unique_ptr<Schedule> inner);

}  // namespace qfw
