#include "export_network.h"

#include <fmt/format.h>
#include <unistd.h>

#include <system_error>

#include "io/log.h"
#include "layout.h"
#include "plugin_options.h"
#include "qfw/atomic_file.h"
#include "qfw/exporter.h"
#include "run/deploy.h"
#include "run/idle_overrides.h"
#include "run/session.h"
#include "run/verify_export.h"
#include "util/counted.h"
#include "util/interrupt.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

fs::path folder_of(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

/// A name in the folder of `file`, and with its ending, for what is not finished; gone with the object.
class Unfinished {
 public:
  explicit Unfinished(const fs::path& file)
      : path_(file.parent_path() / fmt::format(".{}.qfw-tmp.{}{}", file.stem().string(), getpid(), file.extension().string())) {
  }
  Unfinished(const Unfinished&) = delete;
  Unfinished& operator=(const Unfinished&) = delete;
  ~Unfinished() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }

  const fs::path& path() const { return path_; }
  /// It appears under its name.
  void finish(const fs::path& as) {
    std::error_code error;
    fs::rename(path_, as, error);
    if (error) fail_writing(as, error.value());
    sync_folder(folder_of(as));
  }

 private:
  fs::path path_;
};

/// A run's network, and what is written and proven of it.
class Export {
 public:
  Export(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog)
      : wanted_(wanted),
        catalog_(catalog),
        exporter_(make_exporter(wanted, catalog)),
        data_(wanted.proof.any() ? Session::Data::required : Session::Data::optional),
        session_(load_recipe(source.recipe, wanted.overrides, catalog, data_), data_),
        step_(source.checkpoint->info().step),
        model_(frozen_model(session_, *source.checkpoint)),
        promise_(exporter_->promise(model_)) {
    say_idle_overrides(session_, step_, source.recipe, wanted.overrides, catalog);
  }

  void write() {
    if (wanted_.proof.check) refuse_foreign_folder();
    Unfinished file(wanted_.file), check(check_folder());
    const std::string proven =
        wanted_.proof.verify ? write_verified(file.path(), *wanted_.proof.verify) : write_promised(file.path());
    std::int64_t images = 0;
    if (wanted_.proof.check) images = write_check(file.path(), check.path(), *wanted_.proof.check);
    file.finish(wanted_.file);
    print_text(wanted_.file.string() + "\n" + proven);
    if (!wanted_.proof.check) return;
    std::error_code ignored;
    fs::remove_all(check_folder(), ignored);  // an earlier one: refuse_foreign_folder()
    check.finish(check_folder());
    print_text(fmt::format("{}: {} and their logits\n", check_folder().string(), counted(images, "image")));
  }

  void verify_only() {
    std::error_code error;
    if (!fs::is_regular_file(wanted_.file, error)) {
      fail(Error::Category::usage, "export", "there is no such file to verify", wanted_.file.string(),
           "name one that `qfw export` wrote");
    }
    const Exporter::Runtime runtime = needed_runtime();
    ExportReference reference(session_, model_, step_, *wanted_.proof.only);
    const auto outcome = compare(reference, runtime, wanted_.file);
    if (refused(outcome)) {
      fail(Error::Category::data, "export", "the file does not compute what the run does: " + outcome.difference,
           wanted_.file.string(),
           "it was altered, or is of another run or checkpoint; or it was written with options of the exporter that are not "
           "given here");
    }
    print_text(outcome.guarantee(promise_) + "\n");
  }

 private:
  static std::unique_ptr<Exporter> make_exporter(const NetworkExport& wanted, const Catalog& catalog) {
    const auto& factory = catalog.get<Exporter>(wanted.exporter);
    return factory.make(plugin_settings(factory, wanted.exporter_options));
  }

  /// Gives what is to be told of it.
  std::string write_promised(const fs::path& file) const {
    exporter_->write(model_, {}, file);
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

  bool refused(const ExportReference::Outcome& outcome) const { return promise_.equal && !outcome.equal; }

  /// Likewise, of one that was compared.
  std::string write_verified(const fs::path& file, std::int64_t images) {
    const Exporter::Runtime runtime = needed_runtime();
    exporter_->write(model_, {}, file);
    ExportReference reference(session_, model_, step_, images);
    const auto outcome = compare(reference, runtime, file);
    if (refused(outcome)) {
      fail(Error::Category::data, "export", "what was written does not compute what the run does: " + outcome.difference, {},
           fmt::format("{} was not written; this is a fault of the exporter or of {}", wanted_.file.string(), outcome.runtime));
    }
    exporter_->write(model_, {{"guarantee", outcome.guarantee(promise_)}}, file);
    if (promise_.equal) check_again(runtime, file);
    std::string proven = outcome.guarantee(promise_) + "\n";
    if (!promise_.equal) proven += fmt::format("only closeness was promised: {}\n", promise_.reason);
    return proven;
  }

  /// model_check of model.onnx, beside it.
  fs::path check_folder() const { return wanted_.file.parent_path() / (wanted_.file.stem().string() + "_check"); }
  fs::path model_name() const { return "model" + wanted_.file.extension().string(); }

  /// Something that an earlier --check did not write; empty: there is none.
  fs::path foreign_in_check_folder() const {
    std::error_code error;
    const fs::path folder = check_folder();
    if (!fs::is_directory(fs::symlink_status(folder, error)) || !fs::is_regular_file(folder / model_name(), error))
      return folder;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().filename() == model_name()) continue;
      if (!entry.is_directory() || !entry.path().filename().string().starts_with("test_data_set_")) return entry.path();
      for (const auto& part : fs::directory_iterator(entry.path())) {
        const std::string name = part.path().filename().string();
        if (!part.is_regular_file() || (name != "input_0.pb" && name != "output_0.pb")) return part.path();
      }
    }
    return {};
  }

  void refuse_foreign_folder() const {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(check_folder(), error))) return;
    if (const fs::path foreign = foreign_in_check_folder(); !foreign.empty()) {
      fail(Error::Category::usage, "export", "what is there would be replaced, and holds something that --check does not write",
           foreign.string(), "move it away");
    }
  }

  /// That writing it again with what was proven changed nothing but that, by a batch.
  void check_again(const Exporter::Runtime& runtime, const fs::path& file) {
    ExportReference reference(session_, model_, step_, session_.eval_batch());
    const auto outcome = reference.compare(
        {}, [&](const ExportReference::Way& way) { return make_runtime(runtime.backend, file, way); }, true);
    if (outcome.equal) return;
    fail(Error::Category::internal, "export", "with its proof in it the file computes something else: " + outcome.difference);
  }

  /// The model, and what it must make of a few images; gives how many.
  std::int64_t write_check(const fs::path& file, const fs::path& folder, std::int64_t images) {
    const std::vector<float> pictures = validation_images(session_, images);
    const ExportReference reference(session_, model_, step_, images);
    const Shape image = session_.data().image;
    const HostView fed({{reference.images(), image[0], image[1], image[2]}, DType::f32}, std::as_bytes(std::span(pictures)));
    const HostView given({{reference.images(), model_.classes()}, DType::f32}, std::as_bytes(std::span(reference.logits())));
    std::error_code error;
    fs::create_directory(folder, error);
    if (error) fail_writing(folder, error.value());
    exporter_->write_check(model_, fed, given, folder);
    fs::copy_file(file, folder / model_name(), error);
    if (error) fail_writing(folder / model_name(), error.value());
    return reference.images();
  }

  const NetworkExport& wanted_;
  const Catalog& catalog_;
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

}  // namespace

Proof proof_of(const Arguments& arguments) {
  const Proof proof{.verify = images_of(arguments, "verify"),
                    .only = images_of(arguments, "verify-only"),
                    .check = images_of(arguments, "check")};
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
