#include "write_network.h"

#include <fmt/format.h>

#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "check_folder.h"
#include "exported_network.h"
#include "layout.h"
#include "qfw/interrupt.h"
#include "unfinished.h"
#include "util/counted.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

class NetworkWriting {
 public:
  NetworkWriting(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog)
      : wanted_(wanted), network_(chosen_exporter(catalog), wanted, source, catalog) {}

  void write() {
    std::optional<Exporter::Runtime> runtime;
    if (wanted_.proof.verify) runtime = network_.needed_runtime();
    std::optional<CheckFolder> check;
    if (wanted_.proof.check)
      check.emplace(wanted_.file, [&](const fs::path& file) { return network_.exporter().written(file).has_value(); });
    Unfinished file(wanted_.file);
    network_.exporter().write(network_.model(), network_.notes({}), file.path());
    std::int64_t images = 0;
    if (check) images = write_check(check->begin(), *wanted_.proof.check);
    const std::string proven = runtime ? verified(file.path(), *wanted_.proof.verify, *runtime) : promised();
    stop_if_interrupted("export");
    refuse_foreign_file(network_.exporter());  // minutes may have passed
    if (check) check->finish(file.path());
    file.finish();
    print_text(wanted_.file.string() + "\n" + proven);
    if (!check) return;
    print_text(
        fmt::format("{}: {} and {} logits\n", check->path().string(), counted(images, "image"), images == 1 ? "its" : "their"));
  }

 private:
  ChosenExporter chosen_exporter(const Catalog& catalog) const {
    ChosenExporter chosen = make_exporter(wanted_, wanted_.exporter_options, catalog);
    refuse_foreign_file(*chosen.exporter);
    return chosen;
  }

  void refuse_foreign_file(const Exporter& exporter) const {
    std::error_code error;
    if (!fs::is_regular_file(wanted_.file, error) || exporter.written(wanted_.file)) return;
    fail(Error::Category::usage, "export",
         fmt::format("there is a file of that name that the exporter {} did not write", wanted_.exporter),
         wanted_.file.string(), "move it away, or choose another name");
  }

  /// What is to be told of what was not verified.
  std::string promised() const {
    const Exporter::Promise& promise = network_.promise();
    const std::string promised = promise.equal ? std::string("made to give the same bits as qfw's evaluation")
                                               : fmt::format("close to qfw's evaluation, not equal: {}", promise.reason);
    return promised + "; nothing was verified (--verify does)\n";
  }

  /// Compares what was written; gives what is to be told of it, which the file then says, too.
  std::string verified(const fs::path& file, std::int64_t images, const Exporter::Runtime& runtime) {
    const Exporter::Promise& promise = network_.promise();
    const auto outcome = network_.compare(file, runtime, images);
    if (const std::string why = network_.refusal(outcome); !why.empty()) {
      fail(Error::Category::data, "export", "what was written does not compute what the run does: " + why, {},
           promise.equal ? fmt::format("{} was not written; this is a fault of the exporter or of {}", wanted_.file.string(),
                                       outcome.runtime)
                         : fmt::format("{} was not written; a form that is equal may serve", wanted_.file.string()));
    }
    const Exporter::Notes proof{{ExportedNetwork::guarantee_note, outcome.guarantee(promise)}};
    network_.exporter().write(network_.model(), network_.notes(proof), file);
    if (promise.equal) check_again(file, runtime);
    std::string proven = outcome.guarantee(promise) + "\n";
    if (!promise.equal) proven += fmt::format("only closeness was promised: {}\n", promise.reason);
    return proven;
  }

  /// That writing it again with what was proven changed nothing but that, by a batch.
  void check_again(const fs::path& file, const Exporter::Runtime& runtime) {
    const auto outcome = network_.compare(file, {.backend = runtime.backend, .ways = {}}, network_.session().eval_batch());
    if (outcome.equal) return;
    fail(Error::Category::internal, "export", "with its proof in it the file computes something else: " + outcome.difference);
  }

  /// What the model must make of a few images; gives how many.
  std::int64_t write_check(const fs::path& folder, std::int64_t images) {
    Session& session = network_.session();
    const FrozenModel& model = network_.model();
    const std::vector<float> pictures = validation_images(session, images);
    const ExportReference reference(session, model, network_.step(), images);
    const Shape image = session.data().image;
    const HostView fed({{reference.images(), image[0], image[1], image[2]}, DType::f32}, std::as_bytes(std::span(pictures)));
    const HostView given({{reference.images(), model.classes()}, DType::f32}, std::as_bytes(std::span(reference.logits())));
    network_.exporter().write_check(model, fed, given, folder);
    return reference.images();
  }

  const NetworkExport& wanted_;
  ExportedNetwork network_;
};

}  // namespace

void write_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog) {
  NetworkWriting(wanted, source, catalog).write();
}

}  // namespace qfw
