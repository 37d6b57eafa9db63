#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "io/json.h"
#include "io/printable.h"
#include "util/nearest.h"
#include "verbs.h"

namespace qfw {
namespace {

void print_json(const std::vector<Catalog::Entry>& entries) {
  boost::json::array list;
  for (const Catalog::Entry& entry : entries) {
    boost::json::object item{{"kind", entry.kind},       {"name", entry.name},       {"description", entry.description},
                             {"version", entry.version}, {"licence", entry.licence}, {"file", entry.file.string()},
                             {"usable", entry.usable}};
    if (!entry.usable) item["reason"] = entry.reason;
    list.push_back(std::move(item));
  }
  fmt::print("{}", json_pretty(list));
}

void print_table(const std::vector<Catalog::Entry>& entries) {
  std::size_t kinds = 0, names = 0, descriptions = 0;
  bool unusable = false;
  for (const Catalog::Entry& entry : entries) {
    unusable = unusable || !entry.usable;
    if (!entry.usable) continue;
    kinds = std::max(kinds, entry.kind.size());
    names = std::max(names, entry.name.size());
    descriptions = std::max(descriptions, entry.description.size());
  }
  for (const Catalog::Entry& entry : entries) {
    if (!entry.usable) continue;
    fmt::print("{:<{}}  {:<{}}  {:<{}}  {}\n", printable(entry.kind), kinds, printable(entry.name), names,
               printable(entry.description), descriptions, printable(entry.file.string()));
  }
  if (unusable) fmt::print("\nunusable:\n");
  for (const Catalog::Entry& entry : entries) {
    if (entry.usable) continue;
    const std::string what = entry.kind.empty() ? entry.file.filename().string() : entry.kind + " " + entry.name;
    fmt::print("  {}: {} ({})\n", printable(what), printable(entry.reason), printable(entry.file.string()));
  }
}

int run(const Arguments& arguments, const Catalog& catalog) {
  std::vector<Catalog::Entry> entries = catalog.entries();
  if (!arguments.positional.empty()) {
    const std::string& kind = arguments.positional[0];
    std::set<std::string> kinds;
    for (const Catalog::Entry& entry : entries) kinds.insert(entry.kind);
    std::erase_if(entries, [&](const auto& entry) { return !entry.kind.empty() && !same_name(entry.kind, kind); });
    if (std::all_of(entries.begin(), entries.end(), [](const auto& entry) { return entry.kind.empty(); })) {
      kinds.erase("");
      const std::vector<std::string> known(kinds.begin(), kinds.end());
      std::string list;
      for (const std::string& each : known) list += (list.empty() ? "" : ", ") + each;
      const std::string guess = did_you_mean(kind, known);
      fail(Error::Category::usage, "list", fmt::format("there is no plugin of kind '{}'", kind), {},
           fmt::format("kinds are: {}{}{}", list, guess.empty() ? "" : "; ", guess));
    }
  }
  if (arguments.has("json")) {
    print_json(entries);
  } else {
    print_table(entries);
    if (entries.empty()) {
      for (const Catalog::Folder& folder : catalog.folders()) {
        fmt::print(stderr, "no plugins in {}{}{}\n", folder.path.string(), folder.skipped.empty() ? "" : ": it ",
                   folder.skipped);
      }
    }
  }
  return 0;
}

}  // namespace

Verb list_verb() {
  return {.name = "list",
          .positional = "[KIND]",
          .max_positional = 1,
          .summary = "the plugins there are, and the files that cannot be used",
          .doc =
              "Reads the files only; no plugin is opened. Searched are, in this order: --plugin-dir, the folders of\n"
              "QFW_PLUGIN_PATH, the program's own folder, and lib/qfw of the tree it is installed in.",
          .options = {{.name = "json", .value = "", .doc = "print JSON"}},
          .run = run};
}

}  // namespace qfw
