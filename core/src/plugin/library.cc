#include "plugin/library.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "plugin/crash.h"
#include "plugin/guard.h"
#include "qfw/error.h"
#include "qfw/plugin.h"
#include "util/nearest.h"

namespace qfw {
namespace {

void check(const PluginManifest& found, const std::string& file) {
  const PluginManifest expected{.about = {}};
  std::vector<std::string> wrong;
  const auto compare = [&wrong](const char* what, std::uint32_t is, std::uint32_t should) {
    if (is != should) wrong.push_back(fmt::format("{}: found {:#x}, expected {:#x}", what, is, should));
  };
  compare("magic", found.magic, expected.magic);
  compare("manifest size", found.size, expected.size);
  compare("ABI", found.abi, expected.abi);
  if (wrong.empty()) {  // the layout is as expected, so the pointers may be followed
    const std::string difference = fingerprint_difference(found.fingerprint, QFW_FINGERPRINT);
    if (!difference.empty()) wrong.push_back(difference);
    if (found.register_factories == nullptr) wrong.push_back("its register function is null");
  }
  if (wrong.empty()) return;
  fail(Error::Category::plugin, "plugin", fmt::format("manifest is wrong: {}", fmt::join(wrong, ", ")), file,
       "build it against this qfw with qfw_add_plugin()");
}

std::set<std::string> words_of(const std::vector<std::pair<std::string, std::string>>& provides) {
  std::set<std::string> words;
  for (const auto& [kind, name] : provides) words.insert(kind + ":" + name);
  return words;
}

}  // namespace

const FactoryBase& PluginLibrary::factory(std::string_view kind, std::string_view name) {
  const std::lock_guard lock(mutex_);
  if (factories_.empty()) factories_ = open();
  for (const auto& factory : factories_) {
    if (factory->kind == kind && same_name(factory->name, name)) return *factory;
  }
  fail(Error::Category::internal, "plugin", fmt::format("{}:{} is promised but not registered", kind, name), file_.string());
}

std::vector<std::unique_ptr<FactoryBase>> PluginLibrary::open() const {
  const std::string file = file_.string();
  const auto& [kind, name] = tag_.provides.at(0);
  const PluginName opened(kind + ":" + name, file);
  const PluginCall call(opened);
  // Never closed: threads, static objects and vtables of the library may be in use until the process ends.
  void* handle = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* reason = ::dlerror();
    fail(Error::Category::plugin, "plugin", fmt::format("cannot be opened: {}", reason == nullptr ? "unknown reason" : reason),
         file, "`ldd` shows which of its libraries is missing");
  }
  remember_library(handle, file);
  const auto* manifest = static_cast<const PluginManifest*>(::dlsym(handle, QFW_STRINGIZE(QFW_MANIFEST_SYMBOL)));
  if (manifest == nullptr) {
    fail(Error::Category::plugin, "plugin", "exports no " QFW_STRINGIZE(QFW_MANIFEST_SYMBOL), file,
         "a plugin says QFW_PLUGIN once");
  }
  check(*manifest, file);

  const std::string plugin = manifest->about.name == nullptr ? "?" : manifest->about.name;
  Registry staging;
  try {
    manifest->register_factories(staging);
  } catch (...) {
    fail(Error::Category::plugin, "plugin", fmt::format("{} failed to register: {}", plugin, thrown_text()), file);
  }

  std::vector<std::pair<std::string, std::string>> registered;
  for (const auto& factory : staging.factories()) registered.emplace_back(factory->kind, factory->name);
  const std::set<std::string> found = words_of(registered), promised = words_of(tag_.provides);
  if (found != promised) {
    fail(Error::Category::plugin, "plugin",
         fmt::format("{} registers {{{}}} but its tag says {{{}}}", plugin, fmt::join(found, ", "), fmt::join(promised, ", ")),
         file, "name in QFW_PLUGIN's first argument what it registers");
  }
  auto factories = staging.take();
  for (const auto& factory : factories) {
    guard(*factory, std::make_shared<const PluginName>(fmt::format("{}:{}", factory->kind, factory->name), file));
  }
  return factories;
}

}  // namespace qfw
