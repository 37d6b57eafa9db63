#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <set>

#include "io/json.h"
#include "io/printable.h"
#include "layout.h"
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
  const std::size_t width = output_width(unlimited);
  std::size_t kinds = 0;
  for (const Catalog::Entry& entry : entries) kinds = std::max(kinds, entry.usable ? entry.kind.size() : 0);
  std::array<Column, 3> columns = {Column{}, Column{.long_text = true}, Column{.long_text = true}};
  std::string unusable;
  for (const Catalog::Entry& entry : entries) {
    const std::string file = printable(entry.file.string());
    if (entry.usable) {
      columns[0].cells.push_back(fmt::format("{:<{}}  {}", printable(entry.kind), kinds, printable(entry.name)));
      columns[1].cells.push_back(printable(entry.description));
      columns[2].cells.push_back(file);
    } else {
      const std::string what = entry.kind.empty() ? entry.file.filename().string() : entry.kind + " " + entry.name;
      unusable += wrapped(fmt::format("{}: {} ({})", printable(what), printable(entry.reason), file), width, 2);
    }
  }
  fmt::print("{}", table(columns, width));
  if (!unusable.empty()) fmt::print("\nunusable:\n{}", unusable);
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
