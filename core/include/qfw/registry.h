#pragma once

#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qfw/export.h"
#include "qfw/options.h"

namespace qfw {

/// Option values by name, checked by the recipe; those left out keep their defaults.
using Settings = std::vector<std::pair<std::string, OptionValue>>;

/// One implementation on offer: what `qfw describe` shows and a recipe is checked against.
struct QFW_API FactoryBase {
  std::string kind, name, doc;
  std::vector<Option> options;

  FactoryBase() = default;
  virtual ~FactoryBase();
};

/// Makes objects that implement `Interface`.
template <class Interface>
struct QFW_API Factory final : FactoryBase {  // exported, so that core and plugins agree on its type
  std::function<std::unique_ptr<Interface>(const Settings&)> make;
};

/// Where a plugin's register function puts its factories. They take effect together, when that function returns.
class QFW_API Registry {
 public:
  Registry();
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry();

  /// T implements one of the interfaces and is constructed from `const T::Options&`; see Declare. `defaults` lets one class
  /// stand under several names, each with its own defaults.
  template <class T>
    requires std::derived_from<T, typename T::Interface> && std::constructible_from<T, const typename T::Options&>
  void add(std::string name, std::string doc, typename T::Options defaults = {}) {
    using Interface = typename T::Interface;
    auto factory = std::make_unique<Factory<Interface>>();
    factory->kind = Interface::kind;
    factory->name = std::move(name);
    factory->doc = std::move(doc);
    factory->options = options_of(defaults);
    factory->make = [defaults, options = factory->options](const Settings& settings) -> std::unique_ptr<Interface> {
      typename T::Options chosen = defaults;
      apply(options, settings, &chosen);
      return std::make_unique<T>(chosen);
    };
    add(std::move(factory));
  }

  void add(std::unique_ptr<FactoryBase> factory);
  const std::vector<std::unique_ptr<FactoryBase>>& factories() const { return factories_; }
  std::vector<std::unique_ptr<FactoryBase>> take() { return std::move(factories_); }

 private:
  std::vector<std::unique_ptr<FactoryBase>> factories_;
};

}  // namespace qfw
