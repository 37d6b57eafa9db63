#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "io/json.h"
#include "io/printable.h"
#include "layout.h"
#include "option_text.h"
#include "qfw/backend.h"
#include "recipe/sections.h"
#include "recipe/source.h"
#include "reference.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {
namespace {

constexpr const char* about_layers =
    "Sections [layer:GLOB] set options of the quantizer for the layers whose path matches: `*` stands for anything within a "
    "component, `**` for anything across components, as in [layer:stage1/**]. Any option of the quantizer may stand there "
    "(qfw describe quantizer NAME), none of the core's keys. Later sections win. `qfw explain RECIPE` lists the layers.";

struct Output {
  bool json = false;
  std::size_t width = 0;
};

std::string head_of(const SectionReference& section) {
  return section.in_recipes ? fmt::format("[{}]", section.name) : "plugins of kind " + section.name;
}

/// A name and a text behind it, in columns.
void print_entry(const std::string& name, std::size_t names, const std::string& text, std::size_t width) {
  fmt::print("{}", entry(printable(name), names, printable(text, line_breaks), width));
}

void print_all(const Catalog& catalog, const Output& output) {
  const std::vector<std::string> names = reference_names(catalog);
  if (output.json) {
    boost::json::array sections;
    for (const std::string& name : names) {
      const SectionReference section = reference_of(name, catalog, Opening::no);
      boost::json::array plugins;
      for (const auto& plugin : section.plugins) plugins.emplace_back(plugin.name);
      sections.push_back(boost::json::object{{"name", name},
                                             {"doc", section.doc},
                                             {"in_recipes", section.in_recipes},
                                             {"keys", json_of(section.keys)},
                                             {"plugins", std::move(plugins)}});
    }
    fmt::print("{}",
               json_pretty(boost::json::object{{"keys", json_of(recipe::top_options())}, {"sections", std::move(sections)}}));
    return;
  }
  std::size_t widest = 0;
  for (const std::string& name : names) widest = std::max(widest, name.size());
  const auto print = [&](bool in_recipes) {
    for (const std::string& name : names) {
      const SectionReference section = reference_of(name, catalog, Opening::no);
      if (section.in_recipes != in_recipes) continue;
      std::vector<std::string> plugins;
      for (const auto& plugin : section.plugins) plugins.push_back(plugin.name);
      print_entry(name, widest, section.doc + (plugins.empty() ? "" : fmt::format(": {}", fmt::join(plugins, ", "))),
                  output.width);
    }
  };
  fmt::print("{}", wrapped("Sections of a recipe, and the plugins that serve in them:", output.width, 0));
  print(true);
  fmt::print("\nPlugins of other kinds:\n");
  print(false);
  fmt::print("\nKeys outside sections:\n{}", table_of(recipe::top_options(), "KEY", output.width));
  fmt::print("\n{}",
             wrapped("qfw describe SECTION, SECTION.KEY or KIND NAME tells more; docs/recipe.md has it all.", output.width, 0));
}

void print_section(const SectionReference& section, const Output& output) {
  if (output.json) {
    boost::json::array plugins;
    for (const auto& plugin : section.plugins) {
      boost::json::object item{{"name", plugin.name}, {"doc", plugin.doc}};
      if (!plugin.problem.empty()) item["problem"] = plugin.problem;
      plugins.push_back(std::move(item));
    }
    fmt::print("{}", json_pretty(boost::json::object{{"section", section.name},
                                                     {"doc", section.doc},
                                                     {"in_recipes", section.in_recipes},
                                                     {"keys", json_of(section.keys)},
                                                     {"plugins", std::move(plugins)}}));
    return;
  }
  fmt::print("{}", wrapped(fmt::format("{}: {}", head_of(section), section.doc), output.width, 0));
  if (section.has_plugins) {
    std::size_t widest = 0;
    for (const auto& plugin : section.plugins) widest = std::max(widest, columns_of(printable(plugin.name)));
    const std::string hint = fmt::format("Plugins; qfw describe {} NAME shows the options of one:", section.name);
    fmt::print("\n{}", wrapped(hint, output.width, 0));
    for (const auto& plugin : section.plugins) {
      const std::string mark = plugin.name == section.fallback ? " (the default)" : "";
      print_entry(plugin.name, widest, plugin.problem.empty() ? plugin.doc + mark : plugin.problem, output.width);
    }
    if (section.plugins.empty()) fmt::print("  none\n");
  }
  if (!section.keys.empty()) {
    fmt::print("\n{}{}", section.has_plugins ? "Keys under every plugin:\n" : "", table_of(section.keys, "KEY", output.width));
  }
  if (section.name == "quantizer") fmt::print("\n{}", wrapped(about_layers, output.width, 0));
}

/// What a backend is on this machine, made with its defaults: its device and the versions of what it found, or why there is
/// none. Nothing of other plugins.
struct OnThisMachine {
  bool available = false;
  std::string text;
};
std::optional<OnThisMachine> on_this_machine(const FactoryBase& factory) {
  const auto* backend = dynamic_cast<const Factory<Backend>*>(&factory);
  if (backend == nullptr) return std::nullopt;
  try {
    return OnThisMachine{true, backend->make({})->describe()};
  } catch (const Error& error) {
    return OnThisMachine{false, error.what()};
  }
}

void print_plugin(const FactoryBase& factory, const SectionReference& section, const Output& output) {
  const std::vector<Option> beside = section.keys_beside(factory.options);
  const std::optional<OnThisMachine> here = on_this_machine(factory);
  if (output.json) {
    boost::json::object all{{"kind", factory.kind},
                            {"name", factory.name},
                            {"doc", factory.doc},
                            {"options", json_of(factory.options)},
                            {"keys", json_of(beside)}};
    if (here) all["on_this_machine"] = {{"available", here->available}, {"text", here->text}};
    fmt::print("{}", json_pretty(all));
    return;
  }
  fmt::print("{}", wrapped(fmt::format("{} {}: {}", factory.kind, printable(factory.name), printable(factory.doc, line_breaks)),
                           output.width, 0));
  if (here) {
    const char* is = here->available ? "On this machine" : "Not on this machine";
    fmt::print("\n{}", wrapped(fmt::format("{}: {}", is, printable(here->text, line_breaks)), output.width, 0));
  }
  if (factory.options.empty()) {
    fmt::print("\nIt has no options of its own.\n");
  } else {
    fmt::print("\n{}", table_of(factory.options, "OPTION", output.width));
  }
  if (!beside.empty()) {
    fmt::print("\n{}", wrapped(fmt::format("Keys of [{}] under every plugin:", section.name), output.width, 0));
    fmt::print("{}", table_of(beside, "KEY", output.width));
  }
}

void print_keys(const std::vector<KeyReference>& keys, const Output& output) {
  if (output.json) {
    boost::json::array list;
    for (const KeyReference& key : keys) {
      boost::json::object item = json_of(key.option);
      item["section"] = key.section;
      item["plugins"] = boost::json::array(key.plugins.begin(), key.plugins.end());
      list.push_back(std::move(item));
    }
    fmt::print("{}", json_pretty(list));
    return;
  }
  for (const KeyReference& key : keys) {
    const std::string of = key.plugins.empty() ? "" : fmt::format(" ({})", fmt::join(key.plugins, ", "));
    const std::string by_default = default_of(key.option), allowed = allowed_of(key.option);
    fmt::print("{}{}", &key == keys.data() ? "" : "\n", wrapped(key.full_name() + of, output.width, 0, 2));
    fmt::print("{}", wrapped(printable(key.option.doc, line_breaks), output.width, 4));
    const auto fact = [&](std::string_view name, const std::string& value) {
      fmt::print("{}", entry(name, std::string_view("default").size(), printable(value), output.width));
    };
    fact("type", type_of(key.option));
    fact("default", by_default.empty() ? "empty" : by_default);
    if (!allowed.empty()) fact("allowed", allowed);
  }
}

[[noreturn]] void unknown(const std::string& what, const std::string& remedy) {
  fail(Error::Category::usage, "describe", what, {}, remedy);
}

/// Sections that have a key of this name: "train.batch_size".
std::vector<std::string> full_names_of(const std::string& key, const Catalog& catalog) {
  std::vector<std::string> names;
  for (const std::string& name : reference_names(catalog)) {
    if (!key_references(name, key, catalog).empty()) names.push_back(recipe::full_name(name, key));
  }
  return names;
}

/// Plugins of this name with their kinds: "model resnet".
std::vector<std::string> plugins_called(const std::string& name, const Catalog& catalog) {
  std::vector<std::string> plugins;
  for (const std::string& kind : catalog.kinds()) {
    for (const std::string& each : catalog.names(kind)) {
      if (same_name(each, name)) plugins.push_back(kind + " " + each);
    }
  }
  return plugins;
}

std::string nearest_plugins(const std::string& word, const Catalog& catalog) {
  std::vector<std::string> names;
  for (const std::string& kind : catalog.kinds()) {
    const std::vector<std::string> of_kind = catalog.names(kind);
    names.insert(names.end(), of_kind.begin(), of_kind.end());
  }
  const std::string near = nearest(word, names);
  return near.empty() ? near : fmt::to_string(fmt::join(plugins_called(near, catalog), " or "));
}

[[noreturn]] void unknown_word(const std::string& word, const Catalog& catalog) {
  std::vector<std::string> known = reference_names(catalog);
  const bool without_section = word.starts_with('.');
  const std::vector<std::string> keys = full_names_of(without_section ? word.substr(1) : word, catalog);
  if (!keys.empty()) unknown(fmt::format("'{}' is no section", word), fmt::format("did you mean {}?", fmt::join(keys, " or ")));
  for (const auto key : recipe::top_keys) known.emplace_back(key);
  std::string guess = nearest(word, known);
  if (guess.empty()) guess = nearest_plugins(word, catalog);
  unknown(fmt::format("there is no section, kind, plugin or key '{}'", word),
          (guess.empty() ? "" : fmt::format("did you mean {}? ", guess)) + "`qfw describe` lists them");
}

std::string known_section(const std::string& word, const Catalog& catalog) {
  for (const std::string& name : reference_names(catalog)) {
    if (same_name(name, word)) return name;
  }
  return {};
}

void describe_key(const std::string& word, const Catalog& catalog, const Output& output) {
  const std::size_t dot = word.rfind('.');
  std::string section = known_section(word.substr(0, dot), catalog);
  const std::string key = word.substr(dot + 1);
  if (dot == 0) unknown_word(word, catalog);
  if (!section.empty() && key.empty()) return print_section(reference_of(section, catalog, Opening::yes), output);
  if (word.starts_with(recipe::layer_prefix)) section = "quantizer";
  if (section.empty()) {
    const std::string guess = did_you_mean(word.substr(0, dot), reference_names(catalog));
    unknown(fmt::format("there is no section '{}'", word.substr(0, dot)),
            (guess.empty() ? "" : guess + " ") + "`qfw describe` lists them");
  }
  const std::vector<KeyReference> found = key_references(section, key, catalog);
  if (!found.empty()) return print_keys(found, output);
  std::vector<std::string> known;
  const SectionReference reference = reference_of(section, catalog, Opening::yes);
  for (const Option& option : reference.keys) known.push_back(option.name);
  for (const auto& plugin : reference.plugins) {
    for (const Option& option : plugin.options) known.push_back(option.name);
  }
  const std::string near = nearest(key, known);
  unknown(fmt::format("[{}] has no key '{}'{}", section, key, reference.has_plugins ? ", under no plugin" : ""),
          near.empty() ? fmt::format("`qfw describe {}` lists them", section)
                       : fmt::format("did you mean {}?", recipe::full_name(section, near)));
}

void describe_word(const std::string& word, const Catalog& catalog, const Output& output) {
  const std::string section = known_section(word, catalog);
  if (!section.empty()) return print_section(reference_of(section, catalog, Opening::yes), output);
  if (const auto top = key_references("", word, catalog); !top.empty()) return print_keys(top, output);
  const bool layers = word == "layer" || word.starts_with(recipe::layer_prefix);
  if (layers && word.find('.') == std::string::npos) {
    if (!output.json) return fmt::print("{}", wrapped(about_layers, output.width, 0));
    return fmt::print("{}", json_pretty(boost::json::object{{"section", "layer:GLOB"}, {"doc", about_layers}}));
  }
  if (word.find('.') != std::string::npos) return describe_key(word, catalog, output);
  const std::vector<std::string> plugins = plugins_called(word, catalog);
  if (plugins.empty()) unknown_word(word, catalog);
  if (plugins.size() > 1) {
    unknown(fmt::format("there are several plugins '{}'", word), fmt::format("say which: {}", fmt::join(plugins, " or ")));
  }
  const std::string kind = plugins.front().substr(0, plugins.front().find(' '));
  print_plugin(catalog.find(kind, word), reference_of(kind, catalog, Opening::no), output);
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const Output output{arguments.has("json"), output_width()};
  const std::vector<std::string>& words = arguments.positional;
  if (arguments.has("markdown")) {
    if (!words.empty()) unknown("--markdown writes everything", "leave out " + words.front());
    fmt::print("{}", reference_in_markdown(catalog));
  } else if (words.empty()) {
    print_all(catalog, output);
  } else if (words.size() == 1) {
    describe_word(words[0], catalog, output);
  } else {
    const std::string section = known_section(words[0], catalog);
    if (!section.empty() && !reference_of(section, catalog, Opening::no).has_plugins) {
      describe_key(section + "." + words[1], catalog, output);  // `train batch_size`
    } else {
      print_plugin(catalog.find(words[0], words[1]), reference_of(section, catalog, Opening::no), output);
    }
  }
  return 0;
}

}  // namespace

Verb describe_verb() {
  return {.name = "describe",
          .positional = "[SECTION | SECTION.KEY | [KIND] NAME]",
          .max_positional = 2,
          .summary = "what recipes may say: sections, keys, and plugins with their options",
          .doc =
              "  qfw describe                        sections, kinds of plugins\n"
              "  qfw describe train                  the keys of a section\n"
              "  qfw describe quantizer              the plugins of a kind, and the keys that hold under all of them\n"
              "  qfw describe quantizer weights_only the options of a plugin\n"
              "  qfw describe train.batch_size       one key",
          .options = {{.name = "json", .value = "", .doc = "print JSON"},
                      {.name = "markdown", .value = "", .doc = "everything, as docs/recipe.md has it"}},
          .run = run};
}

}  // namespace qfw
