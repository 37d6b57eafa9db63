#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "io/printable.h"
#include "option_text.h"
#include "recipe/sections.h"
#include "reference.h"

namespace qfw {
namespace {

using Plugin = SectionReference::Plugin;

/// In a cell of a table.
std::string cell(const std::string& text) {
  std::string escaped;
  for (const char c : printable(text)) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
  return escaped;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

/// `default_text` stands in place of the option's own.
std::string row(const Option& option, const std::string& default_text) {
  return fmt::format("| {} | {} | {} | {} | {} |\n", code(option.name), cell(type_of(option)), default_text,
                     cell(allowed_of(option)), cell(option.doc));
}

constexpr const char* head = "| key | type | default | allowed | meaning |\n|---|---|---|---|---|\n";

std::string table(std::span<const Option> options) {
  std::string text = head;
  for (const Option& option : options) text += row(option, code(default_of(option)));
  return text + "\n";
}

/// Whether two plugins declare the same options, but for defaults: one table shows both.
bool alike(const Plugin& a, const Plugin& b) {
  return std::ranges::equal(a.options, b.options, [](const Option& x, const Option& y) {
    return x.name == y.name && x.doc == y.doc && type_of(x) == type_of(y) && allowed_of(x) == allowed_of(y);
  });
}

/// The default that they share, or each one's.
std::string defaults(std::span<const Plugin> plugins, std::size_t option) {
  const auto of = [&](const Plugin& plugin) { return default_of(plugin.options[option]); };
  const bool same = std::ranges::all_of(plugins, [&](const Plugin& each) { return of(each) == of(plugins.front()); });
  if (same) return code(of(plugins.front()));
  std::string text;
  for (const Plugin& each : plugins)
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", of(each).empty() ? "empty" : code(of(each)), each.name);
  return text;
}

std::string of_plugins(const std::string& kind, std::span<const Plugin> plugins) {
  std::vector<std::string> names;
  for (const Plugin& plugin : plugins) names.push_back(code(plugin.name));
  std::string text = fmt::format("### {} {}\n", kind, fmt::join(names, ", "));
  for (const Plugin& plugin : plugins)
    text += fmt::format("{}: {}\n", code(plugin.name), printable(plugin.doc, line_breaks)) + "\n";
  std::vector<std::string> unused;
  std::string rows;
  const std::vector<Option>& options = plugins.front().options;
  for (std::size_t i = 0; i < options.size(); ++i) {
    if (options[i].unused) {
      unused.push_back(code(options[i].name));
    } else {
      rows += row(options[i], defaults(plugins, i));
    }
  }
  if (!rows.empty()) text += head + rows + "\n";
  if (!unused.empty()) {
    text +=
        fmt::format("Taken and not used, so that a recipe can switch plugins by one line: {}.\n\n", fmt::join(unused, ", "));
  }
  return options.empty() ? text + "It has no options.\n\n" : text;
}

std::string of_section(const SectionReference& section) {
  std::string text = section.in_recipes ? fmt::format("## [{}]\n{}", section.name, section.doc)
                                        : fmt::format("## Plugins of kind {}\n{}", section.name, section.doc);
  text += ".\n\n";
  if (!section.keys.empty()) text += table(section.keys);
  std::vector<Plugin> left = section.plugins;
  std::erase_if(left, [](const Plugin& plugin) { return !plugin.problem.empty(); });
  while (!left.empty()) {
    const auto others = std::stable_partition(left.begin(), left.end(),
                                              [first = left.front()](const Plugin& each) { return alike(first, each); });
    text += of_plugins(section.name, std::span(left.begin(), others));
    left.erase(left.begin(), others);
  }
  return text;
}

}  // namespace

std::string reference_in_markdown(const Catalog& catalog) {
  std::string text = "## Keys outside sections\n\n" + table(recipe::top_options());
  for (const std::string& name : reference_names(catalog)) text += of_section(reference_of(name, catalog, Opening::yes));
  text.pop_back();  // the last of two line breaks
  return text;
}

}  // namespace qfw
