// The original's JSON configurations, through the plugin that reads them.
#include "input.h"
#include "qfw/format.h"
#include "qfw/plugin.h"
#include "qfw/registry.h"

extern "C" const qfw::PluginManifest QFW_MANIFEST_SYMBOL;

namespace {

std::unique_ptr<qfw::Format> make_format() {
  qfw::Registry registry;
  QFW_MANIFEST_SYMBOL.register_factories(registry);
  for (const auto& factory : registry.factories()) {
    if (const auto* format = dynamic_cast<const qfw::Factory<qfw::Format>*>(factory.get())) return format->make({});
  }
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto format = make_format();
  qfw::fuzz::expect_no_worse_than_an_error([&] { format->to_recipe(qfw::fuzz::text(data, size)); });
  return 0;
}
