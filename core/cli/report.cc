#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <set>

#include "io/json.h"
#include "io/log.h"
#include "io/printable.h"
#include "layout.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "run_source.h"
#include "verbs.h"
#include "viewer/page.h"
#include "viewer/run_document.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_runs = 32;
constexpr std::string_view page_of_several = "compare.html";

void check_run(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) {
    fail(Error::Category::usage, "report", "there is nothing at this path", folder.string(), "give the folder of a run");
  }
  if (!fs::is_directory(folder, error)) {
    fail(Error::Category::usage, "report", "this is a file, not the folder of a run", folder.string(),
         "give the folder it lies in");
  }
  check_accessible(folder, "report");
  if (viewer::RunReader::is_run(folder)) return;
  fail(Error::Category::usage, "report", "this is no run folder: it has none of the files of a run", folder.string(),
       "name a folder that `qfw run` made");
}

boost::json::array documents_of(const std::vector<std::string>& folders) {
  boost::json::array documents;
  std::set<fs::path> seen;
  for (const std::string& folder : folders) {
    check_run(folder);
    if (!seen.insert(fs::canonical(folder)).second) {
      fail(Error::Category::usage, "report", "this run is given twice", folder, "name each run once");
    }
    viewer::RunReader reader(folder);
    reader.refresh();
    for (const std::string& problem : reader.problems()) {
      logger().warn("{}: {}", printable(folder), printable(problem));
    }
    documents.push_back(reader.document());
  }
  return documents;
}

void write_or_print(const Arguments& arguments, const std::string& json) {
  if (!arguments.has("out")) {
    fmt::print("{}", json);
    return;
  }
  const fs::path file = arguments.get("out");
  check_output(file, OutputKind::json);
  write_text_atomically(file, json);
  print_text(file.string() + "\n");
}

int run(const Arguments& arguments, const Catalog&) {
  const auto& folders = arguments.positional;
  const boost::json::array documents = documents_of(folders);
  const bool alone = documents.size() == 1;
  if (arguments.has("json")) {
    write_or_print(arguments, json_pretty(alone ? documents.front() : boost::json::value(documents)));
    return 0;
  }
  const fs::path standard = alone ? fs::path(folders.front()) / "report.html" : fs::path(page_of_several);
  const fs::path file = arguments.get("out", standard.string());
  viewer::write_page(file, viewer::report_page(documents));
  print_text(file.string() + "\n");
  return 0;
}

}  // namespace

Verb report_verb() {
  Verb verb;
  verb.name = "report";
  verb.positional = "RUN...";
  verb.min_positional = 1;
  verb.max_positional = most_runs;
  verb.summary = "make a page of a run (report.html in its folder), or one that compares several";
  verb.doc =
      "RUN is a run folder, of a run that is finished, stopped or going on. The page is one file that needs no other and no\n"
      "network. Several runs make compare.html in the current folder, unless --out says otherwise.";
  verb.options = {{"out", "FILE", "where the page, or with --json the JSON, goes"},
                  {"json", "", "print what the page shows as JSON (docs/report.md), and make no page"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
