#include "verify_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <system_error>

#include "exported_network.h"
#include "io/log.h"
#include "layout.h"
#include "qfw/regular_file.h"
#include "qfw/text.h"
#include "unfinished.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

class NetworkVerification {
 public:
  NetworkVerification(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog)
      : wanted_(wanted), network_(exporter_of_file(catalog), wanted, source, catalog) {}

  void verify() {
    const Exporter::Runtime runtime = network_.needed_runtime();
    const Exporter::Promise& promise = network_.promise();
    refuse_other_checkpoint();
    const Exporter::Difference difference = difference_from_fresh();
    if (!promise.equal && !difference.what.empty()) say_difference(difference);
    const auto outcome = network_.compare(wanted_.file, runtime, *wanted_.proof.only);
    if (const std::string why = network_.refusal(outcome); !why.empty()) {
      fail(Error::Category::data, "export", "the file does not compute what the run does: " + why, wanted_.file.string(),
           difference.what.empty()
               ? fmt::format("it is what qfw writes of the run: this is a fault of the exporter or of {}", outcome.runtime)
               : fmt::format("{}: {}", difference.what, why_it_may_differ()));
    }
    if (promise.equal && !difference.what.empty()) say_difference(difference);
    print_text(outcome.guarantee(promise) + "\n");
    const auto claim = note_of_file(ExportedNetwork::guarantee_note);
    if (claim && *claim != outcome.guarantee(promise)) {
      print_text(fmt::format("not repeated now is what the file says of itself: {}\n", *claim));
    }
  }

 private:
  /// With the options that the file was written with.
  ChosenExporter exporter_of_file(const Catalog& catalog) {
    const ChosenExporter given = make_exporter(wanted_, wanted_.exporter_options, catalog);
    std::error_code error;
    if (!fs::is_regular_file(wanted_.file, error)) {
      fail(Error::Category::usage, "export", "there is no such file to verify", wanted_.file.string(),
           "name one that `qfw export` wrote");
    }
    written_ = given.exporter->written(wanted_.file);
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
    return make_exporter(wanted_, options_of_file(given.options), catalog);
  }

  std::optional<std::string> note_of_file(std::string_view name) const {
    const auto note = std::ranges::find(written_->notes, name, &Exporter::Notes::value_type::first);
    if (note == written_->notes.end()) return std::nullopt;
    return note->second;
  }

  std::vector<std::string> options_of_file(const Settings& given_options) const {
    const auto note = note_of_file(ExportedNetwork::options_note);
    if (!note) return wanted_.exporter_options;
    std::vector<std::string> options;
    std::istringstream lines(*note);
    for (std::string line; std::getline(lines, line);) options.push_back(line);
    for (const auto& [key, value] : given_options) {
      const std::string given = fmt::format("{}={}", key, to_string(value));
      if (std::ranges::find(options, given) != options.end()) continue;
      fail(Error::Category::usage, "export", fmt::format("--exporter.{} is not what the file was written with", given),
           wanted_.file.string(), fmt::format("leave it out: the file says {}", fmt::join(options, " ")));
    }
    return options;
  }

  void refuse_other_checkpoint() const {
    const FrozenModel::Provenance &theirs = written_->provenance, &ours = network_.model().provenance;
    if (theirs.checkpoint == ours.checkpoint) return;
    fail(Error::Category::data, "export",
         fmt::format("the file was written of another checkpoint: {} after step {}, not {} after step {}", theirs.checkpoint,
                     theirs.step, ours.checkpoint, ours.step),
         wanted_.file.string(), "name the run, or the checkpoint in it, that it was written of; or export again");
  }

  /// Where the file is not what the exporter makes of the run; empty: nowhere. Its version and recipe, which may be others, are
  /// taken from it, and what it says was proven of it.
  Exporter::Difference difference_from_fresh() const {
    FrozenModel model = network_.model();
    model.provenance.qfw = written_->provenance.qfw;
    model.provenance.recipe = written_->provenance.recipe;
    const Unfinished fresh(temporaries_ / wanted_.file.filename());
    Exporter::Notes claims;
    if (const auto claim = note_of_file(ExportedNetwork::guarantee_note))
      claims.emplace_back(ExportedNetwork::guarantee_note, *claim);
    network_.exporter().write(model, network_.notes(claims), fresh.path());
    if (read_text(fresh.path()) == read_text(wanted_.file)) return {};
    return network_.exporter().difference(wanted_.file, fresh.path());
  }

  /// Of a file whose logits are not at fault.
  void say_difference(const Exporter::Difference& difference) const {
    const std::string &theirs = written_->provenance.qfw, &ours = network_.model().provenance.qfw;
    if (theirs == ours || !difference.computed) {
      fail(Error::Category::data, "export",
           (network_.promise().equal ? "no logit tells, but this is not what qfw writes of the run: "
                                     : "this is not what qfw writes of the run: ") +
               difference.what,
           wanted_.file.string(), why_it_may_differ());
    }
    logger().warn(
        "the file was written by qfw {}, and this is {}, which writes it otherwise ({}): its logits alone are compared", theirs,
        ours, difference.what);
  }

  std::string why_it_may_differ() const {
    std::istringstream theirs(written_->provenance.recipe), ours(in_utf8(network_.model().provenance.recipe));
    std::string their_line, our_line;
    while (std::getline(theirs, their_line) && std::getline(ours, our_line)) {
      if (their_line == our_line) continue;
      return fmt::format("it was written with `{}`, and here it is `{}`: verify it with the same keys, or export it again",
                         their_line, our_line);
    }
    return "it was altered, or the data set, which names the classes, was not there: export it again";
  }

  const NetworkExport& wanted_;
  fs::path temporaries_;                      ///< where a fresh file is written to be compared
  std::optional<Exporter::Written> written_;  ///< what the file says of itself
  ExportedNetwork network_;                   // after what making its exporter sets
};

}  // namespace

void verify_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog) {
  NetworkVerification(wanted, source, catalog).verify();
}

}  // namespace qfw
