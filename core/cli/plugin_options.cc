#include "plugin_options.h"

#include <fmt/format.h>

#include <algorithm>

#include "qfw/error.h"
#include "recipe/value.h"
#include "util/nearest.h"

namespace qfw {

std::vector<std::string> take_plugin_options(std::vector<std::string>& overrides, std::string_view kind) {
  const std::string prefix = std::string(kind) + '.';
  std::vector<std::string> taken, left;
  for (std::string& text : overrides) {
    if (text.starts_with(prefix)) {
      taken.push_back(text.substr(prefix.size()));
    } else {
      left.push_back(std::move(text));
    }
  }
  overrides = std::move(left);
  return taken;
}

Settings plugin_settings(const FactoryBase& factory, const std::vector<std::string>& given) {
  Settings settings;
  for (const std::string& text : given) {
    const std::size_t equals = text.find('=');
    const std::string key = text.substr(0, equals), value = equals == std::string::npos ? "" : text.substr(equals + 1);
    const auto option = std::ranges::find(factory.options, key, &Option::name);
    if (option == factory.options.end()) {
      std::vector<std::string> known;
      for (const Option& each : factory.options) known.push_back(each.name);
      const std::string guess = did_you_mean(key, known);
      fail(Error::Category::usage, factory.kind, fmt::format("{} {} has no option {}", factory.kind, factory.name, key), {},
           guess.empty() ? fmt::format("`qfw describe {} {}` lists them", factory.kind, factory.name) : guess);
    }
    OptionValue read;
    if (const std::string wrong = recipe::read_value(*option, {.value = value, .quoted = false}, read); !wrong.empty()) {
      fail(Error::Category::usage, factory.kind, fmt::format("--{}.{}={}: {}", factory.kind, key, value, wrong));
    }
    settings.emplace_back(key, read);
  }
  return settings;
}

}  // namespace qfw
