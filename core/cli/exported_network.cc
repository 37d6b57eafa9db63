#include "exported_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "io/log.h"
#include "plugin_options.h"
#include "run/deploy.h"
#include "run/fewer_images.h"
#include "run/idle_overrides.h"

namespace qfw {

namespace fs = std::filesystem;

ChosenExporter make_exporter(const NetworkExport& wanted, const std::vector<std::string>& options, const Catalog& catalog) {
  const auto& factory = catalog.get<Exporter>(wanted.exporter);
  Settings settings = plugin_settings(factory, options);
  auto exporter = factory.make(settings);
  return {std::move(exporter), std::move(settings)};
}

ExportedNetwork::ExportedNetwork(ChosenExporter chosen, const NetworkExport& wanted, const RunSource& source,
                                 const Catalog& catalog)
    : wanted_(wanted),
      catalog_(catalog),
      chosen_(std::move(chosen)),
      data_(wanted.proof.any() ? Session::Data::required : Session::Data::optional),
      session_(load_recipe(source.recipe, wanted.overrides, catalog, data_), data_),
      step_(source.checkpoint->info().step),
      model_(frozen_model(session_, *source.checkpoint)),
      promise_(exporter().promise(model_)) {
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

void ExportedNetwork::say_fewer_images(std::string_view option, std::optional<std::int64_t> images) {
  if (images.value_or(0) == 0) return;
  qfw::say_fewer_images(session_, session_.validation_split(), fmt::format("{}={}", option, *images), *images);
}

/// As notes keep them: KEY=VALUE.
std::vector<std::string> ExportedNetwork::all_options() const {
  std::vector<std::string> all;
  for (const Option& option : catalog_.get<Exporter>(wanted_.exporter).options) {
    const auto given = std::ranges::find(chosen_.options, option.name, &Settings::value_type::first);
    all.push_back(option.name + "=" + to_string(given == chosen_.options.end() ? option.default_value : given->second));
  }
  return all;
}

Exporter::Notes ExportedNetwork::notes(Exporter::Notes all) const {
  if (exporter().runtime().backend.empty()) return all;
  all.emplace_back(options_note, fmt::format("{}", fmt::join(all_options(), "\n")));
  return all;
}

Exporter::Runtime ExportedNetwork::needed_runtime() const {
  Exporter::Runtime runtime = exporter().runtime();
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

std::unique_ptr<Backend> ExportedNetwork::make_runtime(const std::string& name, const fs::path& file,
                                                       const ExportReference::Way& way) const {
  const auto& factory = catalog_.get<Backend>(name);
  std::vector<std::string> options;
  for (const auto& [key, value] : way) options.push_back(key + '=' + value);
  Settings settings = plugin_settings(factory, options);
  settings.emplace_back("model", file.string());
  return factory.make(settings);
}

ExportReference::Outcome ExportedNetwork::compare(const fs::path& file, const Exporter::Runtime& runtime, std::int64_t images) {
  ExportReference reference(session_, model_, step_, images);
  return reference.compare(
      runtime.ways, [&](const ExportReference::Way& way) { return make_runtime(runtime.backend, file, way); }, promise_.equal);
}

std::string ExportedNetwork::refusal(const ExportReference::Outcome& outcome) const {
  if (promise_.equal) return outcome.equal ? std::string() : outcome.difference;
  if (!wanted_.proof.agreement || 100.0 * static_cast<double>(outcome.agreeing) >=
                                      static_cast<double>(*wanted_.proof.agreement) * static_cast<double>(outcome.images)) {
    return {};
  }
  return fmt::format("{}; --agreement={} is asked for", outcome.guarantee(promise_), *wanted_.proof.agreement);
}

}  // namespace qfw
