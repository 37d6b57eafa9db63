#pragma once

#include <dlfcn.h>

#include <memory>
#include <stdexcept>
#include <string>

#include "qfw/registry.h"

namespace qfw::test {

/// Makes what a plugin library (libqfw_LIBRARY.so of this build) registers under this kind and name. The library stays open.
template <class Interface>
std::unique_ptr<Interface> make_plugin(const std::string& library, const std::string& name, const Settings& settings = {}) {
  struct ManifestHead {  // the part of PluginManifest in front of what differs, see qfw/plugin.h
    std::uint32_t magic, size, abi;
    const char* fingerprint;
    const char* about[5];
    void (*register_factories)(Registry&);
  };
  const std::string path = std::string(QFW_BINARY_DIR) + "/bin/libqfw_" + library + ".so";
  void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!handle) throw std::runtime_error(dlerror());
  const auto* manifest = static_cast<const ManifestHead*>(dlsym(handle, "qfw_plugin_manifest_v1"));
  if (!manifest) throw std::runtime_error(dlerror());
  Registry registry;
  manifest->register_factories(registry);
  for (const auto& factory : registry.factories()) {
    if (factory->kind == Interface::kind && factory->name == name) {
      return dynamic_cast<const Factory<Interface>&>(*factory).make(settings);
    }
  }
  throw std::runtime_error(path + " does not register " + Interface::kind + ":" + name);
}

}  // namespace qfw::test
