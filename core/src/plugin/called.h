#pragma once

#include <memory>
#include <string>
#include <utility>

#include "qfw/export.h"

namespace qfw {

/// A plugin as messages name it.
struct PluginName {
  PluginName(std::string name, std::string file)
      : name(std::move(name)), file(std::move(file)), text(this->name + " of " + this->file) {}

  std::string name;  ///< "quantizer:lsq"
  std::string file;  ///< of its library
  std::string text;
};
using PluginNamePtr = std::shared_ptr<const PluginName>;

/// The text of the plugin that this thread is in, or null: what a crash is blamed on. Readable from a signal handler.
extern QFW_API constinit thread_local const char* plugin_in_call __attribute__((tls_model("initial-exec")));

/// While it lives, the calling thread is in this plugin.
class PluginCall {
 public:
  explicit PluginCall(const PluginName& plugin) : before_(std::exchange(plugin_in_call, plugin.text.c_str())) {}
  PluginCall(const PluginCall&) = delete;
  PluginCall& operator=(const PluginCall&) = delete;
  ~PluginCall() { plugin_in_call = before_; }

 private:
  const char* before_;
};

/// What is being handled, whatever it is: "std::runtime_error: no licence", "int 42", "text 'no licence'".
std::string thrown_text();

/// Throws what is being handled as an Error that names the plugin: an Error with its category and text, anything else as
/// Error::Category::plugin. `place` says of which layer, step or example it was; it may be empty.
[[noreturn]] void rethrow_named(const PluginName& plugin, const char* method, const std::string& place);

/// Calls `work`, a method of the plugin; `place()` is asked only if it throws.
template <class Place, class Work>
decltype(auto) called(const PluginName& plugin, const char* method, const Place& place, const Work& work) {
  const PluginCall call(plugin);
  try {
    return work();
  } catch (...) {
    rethrow_named(plugin, method, place());
  }
}

}  // namespace qfw
