#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "export_network.h"
#include "plugin/catalog.h"
#include "qfw/exporter.h"
#include "run/session.h"
#include "run/verify_export.h"
#include "run_source.h"

namespace qfw {

struct ChosenExporter {
  std::unique_ptr<Exporter> exporter;
  Settings options;  ///< those that were given
};
/// The exporter that is wanted, with options KEY=VALUE.
ChosenExporter make_exporter(const NetworkExport& wanted, const std::vector<std::string>& options, const Catalog& catalog);

/// A run's network with its exporter, and how a file of the two is compared with the run: what writing and verifying share.
class ExportedNetwork {
 public:
  /// Names of notes in a file: its exporter's options, a line each, and what was proven of it.
  static constexpr const char *options_note = "options", *guarantee_note = "guarantee";

  /// `wanted` and `catalog` outlive it.
  ExportedNetwork(ChosenExporter chosen, const NetworkExport& wanted, const RunSource& source, const Catalog& catalog);

  const Exporter& exporter() const { return *chosen_.exporter; }
  Session& session() { return session_; }
  std::int64_t step() const { return step_; }
  const FrozenModel& model() const { return model_; }
  const Exporter::Promise& promise() const { return promise_; }

  /// With what verifying a file must know.
  Exporter::Notes notes(Exporter::Notes all) const;

  /// What runs such files. Throws where nothing does, or nothing that is here.
  Exporter::Runtime needed_runtime() const;
  /// A file's logits with the run's, of so many images, 0: as many as evaluations take.
  ExportReference::Outcome compare(const std::filesystem::path& file, const Exporter::Runtime& runtime, std::int64_t images);
  /// Why a file that was compared must not pass; empty: it may.
  std::string refusal(const ExportReference::Outcome& outcome) const;

 private:
  void say_fewer_images(std::string_view option, std::optional<std::int64_t> images);
  std::vector<std::string> all_options() const;
  std::unique_ptr<Backend> make_runtime(const std::string& name, const std::filesystem::path& file,
                                        const ExportReference::Way& way) const;

  const NetworkExport& wanted_;
  const Catalog& catalog_;
  ChosenExporter chosen_;
  Session::Data data_;
  Session session_;
  std::int64_t step_;
  FrozenModel model_;
  Exporter::Promise promise_;
};

}  // namespace qfw
