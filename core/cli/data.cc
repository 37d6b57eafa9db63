#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>

#include "actions.h"
#include "data/resized.h"
#include "data/subset.h"
#include "data_survey.h"
#include "data_tools/contact_sheet.h"
#include "data_tools/convert.h"
#include "data_tools/survey.h"
#include "data_tools/throughput.h"
#include "io/file_lock.h"
#include "io/json.h"
#include "io/log.h"
#include "io/progress.h"
#include "layout.h"
#include "plugin_options.h"
#include "qfw/atomic_file.h"
#include "qfw/augment.h"
#include "qfw/error.h"
#include "qfw/processors.h"
#include "qfw/regular_file.h"
#include "recipe/recipe.h"
#include "run/open_dataset.h"
#include "util/counted.h"
#include "util/interrupt.h"
#include "verbs.h"

namespace qfw {

namespace {

/// One for each hardware thread, as decoding waits for memory, but not more than the cgroup's quota.
std::int64_t default_threads() {
  const Processors processors = usable_processors();
  const auto all = static_cast<std::int64_t>(processors.allowed.size());
  return processors.threads() < processors.cores ? processors.threads() : all;
}

std::unique_ptr<Dataset> opened(const Recipe& recipe, int workers, CorruptExamples& corrupt, bool cached) {
  const Activity opening("opening the data set");
  return cached ? open_dataset(recipe, workers, corrupt) : recipe.make<Dataset>();
}

/// The data set that the command line or a recipe names, and what is wanted of it.
struct Job {
  Recipe recipe;
  CorruptExamples corrupt;
  int workers;
  std::unique_ptr<Dataset> dataset;
  std::vector<std::string> splits;

  /// `cached`: as a run would see it, behind the recipe's cache; else the files themselves.
  Job(const Arguments& arguments, Recipe from, bool cached)
      : recipe(std::move(from)),
        corrupt(false, 0),
        workers(static_cast<int>(arguments.number("threads", default_threads(), 1))),
        dataset(opened(recipe, workers, corrupt, cached)),
        splits(dataset->splits()) {
    if (arguments.has("split")) {
      const std::string split = arguments.get("split");
      dataset->size(split);  // throws if there is none
      splits = {split};
    }
    for (const std::string& split : splits) prepare_split(*dataset, split);
  }
};

Recipe recipe_of(const Arguments& arguments, std::vector<std::string> overrides, const Catalog& catalog) {
  const LoadOptions options{.data_only = true};
  if (arguments.positional.size() > 1) return Recipe::load(arguments.positional[1], overrides, catalog, options);
  return Recipe::parse("", "command line", overrides, catalog, options);
}

int bench(const Arguments& arguments, const Job& job) {
  const InterruptGuard guard("stopping after the images at hand");
  const auto augment = job.recipe.make<Augment>();
  const std::string split = arguments.has("split") ? job.splits.front() : "train";
  const auto results = measure_input(*job.dataset, *augment, split, arguments.number("examples", 2000, 1),
                                     job.recipe.train().batch_size, job.workers);
  boost::json::array rows;
  std::vector<Column> columns = {
      {.heading = "stage"}, {.heading = "threads", .numbers = true}, {.heading = "images/s", .numbers = true}};
  for (const Throughput& row : results) {
    columns[0].cells.push_back(row.stage);
    columns[1].cells.push_back(std::to_string(row.threads));
    columns[2].cells.push_back(fmt::format("{:.0f}", row.images_per_second));
    rows.push_back({{"stage", row.stage}, {"threads", row.threads}, {"images_per_second", row.images_per_second}});
  }
  arguments.has("json") ? fmt::print("{}", json_pretty(rows)) : print_text(table(columns, output_width(unlimited)));
  return 0;
}

int show(const Arguments& arguments, const Job& job) {
  const auto augment = job.recipe.make<Augment>();
  const std::string file = arguments.get("output", "samples.png"),
                    split = arguments.has("split") ? job.splits.front() : "train";
  write_contact_sheet(file, *job.dataset, *augment, split,
                      {.rows = arguments.number("rows", 8, 1),
                       .columns = arguments.number("columns", 8, 1),
                       .training = !arguments.has("plain"),
                       .seed = static_cast<std::uint64_t>(job.recipe.run().seed)});
  print_text(file + "\n");
  return 0;
}

/// What a conversion is made from stands in its folder, so that another one does not go on with it.
void claim_folder(const std::filesystem::path& folder, const std::string& purpose) {
  const auto note = folder / "conversion.txt";
  if (std::filesystem::exists(note)) {
    if (read_text(note) == purpose) return;
    fail(Error::Category::usage, "convert",
         "another conversion was made in this folder, or of data that have changed since; conversion.txt says which",
         folder.string(), "choose another --output, or delete the folder");
  }
  remove_stale_temporaries(folder);  // of a conversion that was killed; nobody else writes here
  if (std::filesystem::exists(folder) && !std::filesystem::is_empty(folder)) {
    fail(Error::Category::usage, "convert", "the folder is not empty", folder.string(), "choose another --output");
  }
  write_text_atomically(note, purpose);
}

/// A folder that one conversion writes to, locked as long as it lives.
class OutputFolder {
 public:
  explicit OutputFolder(const std::filesystem::path& folder) {
    std::error_code error;
    std::filesystem::create_directories(folder, error);
    if (!error) descriptor_ = open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor_ < 0) fail_writing(folder, error ? error.value() : errno);
    if (lock_file(descriptor_, folder, Waiting::no)) return;
    close(descriptor_);
    fail(Error::Category::usage, "convert", "another conversion is writing to this folder", folder.string(),
         "wait for it to end, or choose another --output");
  }
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  ~OutputFolder() { close(descriptor_); }

 private:
  int descriptor_ = -1;
};

int convert_data(const Arguments& arguments, Job& job, const std::vector<std::string>& writer_options, const Catalog& catalog) {
  if (!arguments.has("to") || !arguments.has("output")) {
    fail(Error::Category::usage, "convert", "it wants --to=FORM and --output=FOLDER", {},
         fmt::format("forms are: {}", fmt::join(catalog.names("writer"), ", ")));
  }
  const auto& factory = catalog.get<DatasetWriter>(arguments.get("to"));
  const Settings settings = plugin_settings(factory, writer_options);
  const auto writer = factory.make(settings);
  std::string purpose = fmt::format("data set {}\n", job.recipe.name("dataset"));
  for (const auto& [key, value] : job.recipe.settings("dataset")) purpose += fmt::format("  {} = {}\n", key, to_string(value));
  purpose += fmt::format("splits {}\nto {}\n", fmt::join(job.splits, ", "), factory.name);
  for (const auto& [key, value] : settings) purpose += fmt::format("  {} = {}\n", key, to_string(value));
  for (const char* option : {"resize", "shorter-side", "examples"}) {
    if (arguments.has(option)) purpose += fmt::format("{} {}\n", option, arguments.get(option));
  }
  const bool skip = job.recipe.dataset().on_corrupt == "skip";
  if (skip) purpose += "without corrupt examples\n";
  for (const std::string& split : job.splits) {
    const auto [content, storage] = job.dataset->identity(split);
    purpose += fmt::format("{}: {} examples, {:016x} {:016x}\n", split, job.dataset->size(split), content, storage.value_or(0));
  }
  const std::filesystem::path folder = arguments.get("output");
  const OutputFolder output(folder);
  claim_folder(folder, purpose);

  const InterruptGuard guard("stopping after the examples at hand; the same command goes on from there");
  Subset::Chosen chosen;
  for (const std::string& split : job.splits) {
    if (skip) chosen[split] = readable_examples(*job.dataset, split, job.workers);
    if (!arguments.has("examples")) continue;
    auto& of_split = chosen[split];
    const std::int64_t size = skip ? static_cast<std::int64_t>(of_split.size()) : job.dataset->size(split);
    const auto wanted = static_cast<std::size_t>(std::min(arguments.number("examples", 0, 1), size));
    for (std::size_t i = of_split.size(); i < wanted; ++i) of_split.push_back(static_cast<std::int64_t>(i));
    of_split.resize(wanted);
  }
  std::unique_ptr<Dataset> dataset = std::move(job.dataset);
  if (!chosen.empty()) dataset = std::make_unique<Subset>(std::move(dataset), std::move(chosen));
  for (const auto& [option, fit] : {std::pair{"resize", Resized::Fit::square}, {"shorter-side", Resized::Fit::shorter_side}}) {
    if (arguments.has(option))
      dataset = std::make_unique<Resized>(std::move(dataset), static_cast<int>(arguments.number(option, 0, 1)), fit);
  }
  const std::int64_t examples = convert(*dataset, *writer, {.folder = folder, .splits = job.splits, .workers = job.workers});
  print_text(fmt::format("{} in {}\n", counted(examples, "example"), folder.string()));
  return 0;
}

int run(const Arguments& arguments, const Catalog& catalog) {
  static const Action actions[] = {{"info", {"json", "split", "threads"}},
                                   {"verify", {"json", "split", "threads"}},
                                   {"convert", {"to", "output", "resize", "shorter-side", "examples", "split", "threads"}},
                                   {"bench", {"json", "split", "threads", "examples"}},
                                   {"show", {"output", "rows", "columns", "plain", "split", "threads"}}};
  const std::string& action = chosen_action("data", arguments, actions);
  if (arguments.has("resize") && arguments.has("shorter-side")) {
    fail(Error::Category::usage, "usage", "--resize and --shorter-side are two ways to the size of an image", {},
         "give one of them");
  }
  std::vector<std::string> overrides = arguments.overrides;
  const std::vector<std::string> writer_options = take_plugin_options(overrides, DatasetWriter::kind);
  Job job(arguments, recipe_of(arguments, overrides, catalog), action == "bench" || action == "show");
  if (action == "convert") return convert_data(arguments, job, writer_options, catalog);
  if (!writer_options.empty()) fail(Error::Category::usage, "usage", "--writer.* belongs to `qfw data convert`");
  if (action == "bench") return bench(arguments, job);
  if (action == "show") return show(arguments, job);
  const InterruptGuard guard("stopping after the examples at hand");
  const SurveyJob survey{*job.dataset, job.recipe.name("dataset"), job.splits, job.workers, arguments.has("json")};
  return action == "info" ? print_info(survey) : print_verification(survey);
}

}  // namespace

Verb data_verb() {
  Verb verb;
  verb.name = "data";
  verb.positional = "info|verify|convert|bench|show [RECIPE]";
  verb.min_positional = 1;
  verb.max_positional = 2;
  verb.summary = "look at a data set, check it, convert it, time it, show it";
  verb.doc =
      "The data set is a recipe's, or the one that recipe keys name:\n"
      "  qfw data info --dataset.name=imagenet_tfds --dataset.data_dir=DIR\n"
      "info      splits, sizes, class histogram, and what lies there unread\n"
      "verify    reads and decodes every record of the files themselves, whatever dataset.cache says; exit status 1 if one is "
      "bad\n"
      "convert   stores it in another form, resized if that is asked for; a stopped one goes on where it was\n"
      "bench     images a second of each stage of the input, with 1, 2, ... threads\n"
      "show      a contact sheet of augmented samples as PNG";
  verb.takes_overrides = true;
  verb.options = {
      {"json", "", "print JSON (info, verify, bench)"},
      {"split", "NAME", "only this split"},
      {"threads", "N", "threads; default: one per processor that affinity and cgroup allow"},
      {"to", "FORM", "convert: a writer plugin, as tfds, image_folder, hdf5; its options follow as --writer.KEY=VALUE"},
      {"output", "PATH", "convert: a new folder; show: the PNG file (samples.png)"},
      {"resize", "N", "convert: every image to N x N pixels"},
      {"shorter-side", "N", "convert: images made smaller so that their shorter side is N"},
      {"examples", "N", "convert, bench: only the first N of each split"},
      {"rows", "N", "show: rows of pictures (8)"},
      {"columns", "N", "show: columns (8)"},
      {"plain", "", "show: as an evaluation sees them"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
