#include "export_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <sstream>
#include <system_error>

#include "check_folder.h"
#include "io/log.h"
#include "layout.h"
#include "plugin_options.h"
#include "qfw/atomic_file.h"
#include "qfw/exporter.h"
#include "qfw/interrupt.h"
#include "qfw/regular_file.h"
#include "qfw/text.h"
#include "run/deploy.h"
#include "run/fewer_images.h"
#include "run/idle_overrides.h"
#include "run/session.h"
#include "run/verify_export.h"
#include "unfinished.h"
#include "util/counted.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

constexpr const char *options_note = "options", *guarantee_note = "guarantee";

/// A run's network, and what is written and proven of it.
class Export {
 public:
  Export(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog)
      : wanted_(wanted),
        catalog_(catalog),
        exporter_(chosen_exporter()),
        data_(wanted.proof.any() ? Session::Data::required : Session::Data::optional),
        session_(load_recipe(source.recipe, wanted.overrides, catalog, data_), data_),
        step_(source.checkpoint->info().step),
        model_(frozen_model(session_, *source.checkpoint)),
        promise_(exporter_->promise(model_)) {
    if (promise_.equal && wanted.proof.agreement) {
      fail(Error::Category::usage, "export",
           "--agreement is of files that are only close, and this one is made to be equal: a bit that differs is an error", {},
           "leave it out");
    }
    say_fewer_images("--verify", wanted.proof.verify);
    say_fewer_images("--verify-only", wanted.proof.only);
    say_fewer_images("--check", wanted.proof.check);
    say_idle_overrides(session_, step_, source.recipe, wanted.overrides, catalog);
    if (!session_.has_dataset()) {
      logger().warn("the data set is not here, so the file does not name the classes");
    }
  }

  void write() {
    std::optional<Exporter::Runtime> runtime;
    if (wanted_.proof.verify) runtime = needed_runtime();
    std::optional<CheckFolder> check;
    if (wanted_.proof.check)
      check.emplace(wanted_.file, [&](const fs::path& file) { return exporter_->written(file).has_value(); });
    Unfinished file(wanted_.file);
    exporter_->write(model_, notes({}), file.path());
    std::int64_t images = 0;
    if (check) images = write_check(check->begin(), *wanted_.proof.check);
    const std::string proven = runtime ? verified(file.path(), *wanted_.proof.verify, *runtime) : promised();
    stop_if_interrupted("export");
    refuse_foreign_file(*exporter_);  // minutes may have passed
    if (check) check->finish(file.path());
    file.finish();
    print_text(wanted_.file.string() + "\n" + proven);
    if (!check) return;
    print_text(
        fmt::format("{}: {} and {} logits\n", check->path().string(), counted(images, "image"), images == 1 ? "its" : "their"));
  }

  void verify_only() {
    const Exporter::Runtime runtime = needed_runtime();
    refuse_other_checkpoint();
    const Exporter::Difference difference = difference_from_fresh();
    if (!promise_.equal && !difference.what.empty()) say_difference(difference);
    ExportReference reference(session_, model_, step_, *wanted_.proof.only);
    const auto outcome = compare(reference, runtime, wanted_.file);
    if (const std::string why = refusal(outcome); !why.empty()) {
      fail(Error::Category::data, "export", "the file does not compute what the run does: " + why, wanted_.file.string(),
           difference.what.empty()
               ? fmt::format("it is what qfw writes of the run: this is a fault of the exporter or of {}", outcome.runtime)
               : fmt::format("{}: {}", difference.what, why_it_may_differ()));
    }
    if (promise_.equal && !difference.what.empty()) say_difference(difference);
    print_text(outcome.guarantee(promise_) + "\n");
    const auto claim = note_of_file(guarantee_note);
    if (claim && *claim != outcome.guarantee(promise_)) {
      print_text(fmt::format("not repeated now is what the file says of itself: {}\n", *claim));
    }
  }

 private:
  void say_fewer_images(std::string_view option, std::optional<std::int64_t> images) {
    if (images.value_or(0) == 0) return;
    qfw::say_fewer_images(session_, session_.validation_split(), fmt::format("{}={}", option, *images), *images);
  }

  std::unique_ptr<Exporter> make_exporter(const std::vector<std::string>& options) {
    const auto& factory = catalog_.get<Exporter>(wanted_.exporter);
    options_ = plugin_settings(factory, options);
    return factory.make(options_);
  }

  void refuse_foreign_file(const Exporter& exporter) const {
    std::error_code error;
    if (!fs::is_regular_file(wanted_.file, error) || exporter.written(wanted_.file)) return;
    fail(Error::Category::usage, "export",
         fmt::format("there is a file of that name that the exporter {} did not write", wanted_.exporter),
         wanted_.file.string(), "move it away, or choose another name");
  }

  /// With the options of the command line, or those that the file to verify was written with.
  std::unique_ptr<Exporter> chosen_exporter() {
    auto exporter = make_exporter(wanted_.exporter_options);
    if (!wanted_.proof.only) {
      refuse_foreign_file(*exporter);
      return exporter;
    }
    std::error_code error;
    if (!fs::is_regular_file(wanted_.file, error)) {
      fail(Error::Category::usage, "export", "there is no such file to verify", wanted_.file.string(),
           "name one that `qfw export` wrote");
    }
    written_ = exporter->written(wanted_.file);
    if (!written_) {
      fail(Error::Category::data, "export",
           fmt::format("this is no file of the exporter {}, or only a part of one", wanted_.exporter), wanted_.file.string(),
           "name one that `qfw export` wrote");
    }
    std::error_code no_folder;
    temporaries_ = fs::temp_directory_path(no_folder);
    if (no_folder) {
      fail(Error::Category::usage, "export", "there is no folder for temporary files: " + no_folder.message(), "TMPDIR",
           "set it to one, or unset it");
    }
    return make_exporter(options_of_file());
  }

  std::optional<std::string> note_of_file(std::string_view name) const {
    const auto note = std::ranges::find(written_->notes, name, &Exporter::Notes::value_type::first);
    if (note == written_->notes.end()) return std::nullopt;
    return note->second;
  }

  std::vector<std::string> options_of_file() const {
    const auto note = note_of_file(options_note);
    if (!note) return wanted_.exporter_options;
    std::vector<std::string> options;
    std::istringstream lines(*note);
    for (std::string line; std::getline(lines, line);) options.push_back(line);
    for (const auto& [key, value] : options_) {
      const std::string given = fmt::format("{}={}", key, to_string(value));
      if (std::ranges::find(options, given) != options.end()) continue;
      fail(Error::Category::usage, "export", fmt::format("--exporter.{} is not what the file was written with", given),
           wanted_.file.string(), fmt::format("leave it out: the file says {}", fmt::join(options, " ")));
    }
    return options;
  }

  /// Of all options, as notes keep them: KEY=VALUE.
  std::vector<std::string> all_options() const {
    std::vector<std::string> all;
    for (const Option& option : catalog_.get<Exporter>(wanted_.exporter).options) {
      const auto given = std::ranges::find(options_, option.name, &Settings::value_type::first);
      all.push_back(option.name + "=" + to_string(given == options_.end() ? option.default_value : given->second));
    }
    return all;
  }

  /// With what verify_only() must know.
  Exporter::Notes notes(Exporter::Notes all) const {
    if (exporter_->runtime().backend.empty()) return all;
    all.emplace_back(options_note, fmt::format("{}", fmt::join(all_options(), "\n")));
    return all;
  }

  void refuse_other_checkpoint() const {
    const FrozenModel::Provenance &theirs = written_->provenance, &ours = model_.provenance;
    if (theirs.checkpoint == ours.checkpoint) return;
    fail(Error::Category::data, "export",
         fmt::format("the file was written of another checkpoint: {} after step {}, not {} after step {}", theirs.checkpoint,
                     theirs.step, ours.checkpoint, ours.step),
         wanted_.file.string(), "name the run, or the checkpoint in it, that it was written of; or export again");
  }

  /// Where the file is not what the exporter makes of the run; empty: nowhere. Its version and recipe, which may be others, are
  /// taken from it, and what it says was proven of it.
  Exporter::Difference difference_from_fresh() const {
    FrozenModel model = model_;
    model.provenance.qfw = written_->provenance.qfw;
    model.provenance.recipe = written_->provenance.recipe;
    const Unfinished fresh(temporaries_ / wanted_.file.filename());
    const auto claim = note_of_file(guarantee_note);
    exporter_->write(model, notes(claim ? Exporter::Notes{{guarantee_note, *claim}} : Exporter::Notes{}), fresh.path());
    if (read_text(fresh.path()) == read_text(wanted_.file)) return {};
    return exporter_->difference(wanted_.file, fresh.path());
  }

  /// Of a file whose logits are not at fault.
  void say_difference(const Exporter::Difference& difference) const {
    const std::string &theirs = written_->provenance.qfw, &ours = model_.provenance.qfw;
    if (theirs == ours || !difference.computed) {
      fail(Error::Category::data, "export",
           (promise_.equal ? "no logit tells, but this is not what qfw writes of the run: "
                           : "this is not what qfw writes of the run: ") +
               difference.what,
           wanted_.file.string(), why_it_may_differ());
    }
    logger().warn(
        "the file was written by qfw {}, and this is {}, which writes it otherwise ({}): its logits alone are compared", theirs,
        ours, difference.what);
  }

  std::string why_it_may_differ() const {
    std::istringstream theirs(written_->provenance.recipe), ours(in_utf8(model_.provenance.recipe));
    std::string their_line, our_line;
    while (std::getline(theirs, their_line) && std::getline(ours, our_line)) {
      if (their_line == our_line) continue;
      return fmt::format("it was written with `{}`, and here it is `{}`: verify it with the same keys, or export it again",
                         their_line, our_line);
    }
    return "it was altered, or the data set, which names the classes, was not there: export it again";
  }

  /// What is to be told of what was not verified.
  std::string promised() const {
    const std::string promised = promise_.equal ? std::string("made to give the same bits as qfw's evaluation")
                                                : fmt::format("close to qfw's evaluation, not equal: {}", promise_.reason);
    return promised + "; nothing was verified (--verify does)\n";
  }

  Exporter::Runtime needed_runtime() const {
    Exporter::Runtime runtime = exporter_->runtime();
    if (runtime.backend.empty()) {
      fail(Error::Category::usage, "export",
           fmt::format("nothing here runs what exporter {} writes, so it cannot be verified", wanted_.exporter), {},
           "leave out --verify and --verify-only");
    }
    if (session_.recipe().name("backend") == runtime.backend) {
      fail(Error::Category::usage, "export",
           fmt::format("the run's backend is {}, too, so that it would be compared with itself", runtime.backend), {},
           "choose another one, as --backend.name=cpu");
    }
    make_runtime(runtime.backend, {}, {});  // if it is not here, before anything is computed
    return runtime;
  }

  std::unique_ptr<Backend> make_runtime(const std::string& name, const fs::path& file, const ExportReference::Way& way) const {
    const auto& factory = catalog_.get<Backend>(name);
    std::vector<std::string> options;
    for (const auto& [key, value] : way) options.push_back(key + '=' + value);
    Settings settings = plugin_settings(factory, options);
    settings.emplace_back("model", file.string());
    return factory.make(settings);
  }

  ExportReference::Outcome compare(ExportReference& reference, const Exporter::Runtime& runtime, const fs::path& file) const {
    return reference.compare(
        runtime.ways, [&](const ExportReference::Way& way) { return make_runtime(runtime.backend, file, way); },
        promise_.equal);
  }

  /// Why such a file must not pass; empty: it may.
  std::string refusal(const ExportReference::Outcome& outcome) const {
    if (promise_.equal) return outcome.equal ? std::string() : outcome.difference;
    if (!wanted_.proof.agreement || 100.0 * static_cast<double>(outcome.agreeing) >=
                                        static_cast<double>(*wanted_.proof.agreement) * static_cast<double>(outcome.images)) {
      return {};
    }
    return fmt::format("{}; --agreement={} is asked for", outcome.guarantee(promise_), *wanted_.proof.agreement);
  }

  /// Compares what was written; gives what is to be told of it, which the file then says, too.
  std::string verified(const fs::path& file, std::int64_t images, const Exporter::Runtime& runtime) {
    ExportReference reference(session_, model_, step_, images);
    const auto outcome = compare(reference, runtime, file);
    if (const std::string why = refusal(outcome); !why.empty()) {
      fail(Error::Category::data, "export", "what was written does not compute what the run does: " + why, {},
           promise_.equal ? fmt::format("{} was not written; this is a fault of the exporter or of {}", wanted_.file.string(),
                                        outcome.runtime)
                          : fmt::format("{} was not written; a form that is equal may serve", wanted_.file.string()));
    }
    exporter_->write(model_, notes({{guarantee_note, outcome.guarantee(promise_)}}), file);
    if (promise_.equal) check_again(runtime, file);
    std::string proven = outcome.guarantee(promise_) + "\n";
    if (!promise_.equal) proven += fmt::format("only closeness was promised: {}\n", promise_.reason);
    return proven;
  }

  /// That writing it again with what was proven changed nothing but that, by a batch.
  void check_again(const Exporter::Runtime& runtime, const fs::path& file) {
    ExportReference reference(session_, model_, step_, session_.eval_batch());
    const auto outcome = reference.compare(
        {}, [&](const ExportReference::Way& way) { return make_runtime(runtime.backend, file, way); }, true);
    if (outcome.equal) return;
    fail(Error::Category::internal, "export", "with its proof in it the file computes something else: " + outcome.difference);
  }

  /// What the model must make of a few images; gives how many.
  std::int64_t write_check(const fs::path& folder, std::int64_t images) {
    const std::vector<float> pictures = validation_images(session_, images);
    const ExportReference reference(session_, model_, step_, images);
    const Shape image = session_.data().image;
    const HostView fed({{reference.images(), image[0], image[1], image[2]}, DType::f32}, std::as_bytes(std::span(pictures)));
    const HostView given({{reference.images(), model_.classes()}, DType::f32}, std::as_bytes(std::span(reference.logits())));
    exporter_->write_check(model_, fed, given, folder);
    return reference.images();
  }

  const NetworkExport& wanted_;
  const Catalog& catalog_;
  Settings options_;                          ///< of the exporter
  fs::path temporaries_;                      ///< where a fresh file is written to be compared
  std::optional<Exporter::Written> written_;  ///< what the file to verify says of itself
  std::unique_ptr<Exporter> exporter_;
  Session::Data data_;
  Session session_;
  std::int64_t step_;
  FrozenModel model_;
  Exporter::Promise promise_;
};

std::optional<std::int64_t> images_of(const Arguments& arguments, std::string_view option) {
  if (!arguments.has(option)) return std::nullopt;
  return arguments.get(option).empty() ? 0 : arguments.number(option, 0, 1);
}

std::optional<double> percent_of(const Arguments& arguments, std::string_view option) {
  if (!arguments.has(option)) return std::nullopt;
  const std::string text = arguments.get(option);
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 100) return value;
  fail(Error::Category::usage, "export", fmt::format("--{} is a number of percent from 0 to 100, not '{}'", option, text));
}

}  // namespace

Proof proof_of(const Arguments& arguments) {
  const Proof proof{.verify = images_of(arguments, "verify"),
                    .only = images_of(arguments, "verify-only"),
                    .check = images_of(arguments, "check"),
                    .agreement = percent_of(arguments, "agreement")};
  if (proof.agreement && !proof.verify && !proof.only) {
    fail(Error::Category::usage, "export", "--agreement is given, and nothing is to be verified", {}, "add --verify");
  }
  if (proof.only && (proof.verify || proof.check)) {
    fail(Error::Category::usage, "export",
         fmt::format("--verify-only writes nothing, --{} goes with what is written", proof.verify ? "verify" : "check"), {},
         "leave one out");
  }
  return proof;
}

int export_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog) {
  const InterruptGuard guard(wanted.proof.only ? "stopping, without a result" : "stopping, without a file");
  Export work(wanted, source, catalog);
  if (wanted.proof.only) {
    work.verify_only();
  } else {
    work.write();
  }
  return 0;
}

}  // namespace qfw
