#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdio>
#include <fstream>
#include <limits>
#include <memory>

#include "io/json.h"
#include "io/log.h"
#include "layout.h"
#include "plugin_options.h"
#include "predict/model_file.h"
#include "predict/picture_file.h"
#include "predict/predictor.h"
#include "predict/top.h"
#include "qfw/error.h"
#include "qfw/interrupt.h"
#include "run/deploy.h"
#include "run/idle_overrides.h"
#include "run/session.h"
#include "run_source.h"
#include "util/counted.h"
#include "util/interrupt.h"
#include "verbs.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;
using predict::Predictor;

/// A file that does not begin as a checkpoint is taken for a model: what it lacks of one is told then.
bool is_model_file(const fs::path& given) {
  std::error_code unseen;
  if (!fs::is_regular_file(given, unseen)) return given.extension() == ".onnx";
  std::ifstream stream(given, std::ios::binary);
  std::string begin(16, '\0');
  stream.read(begin.data(), static_cast<std::streamsize>(begin.size()));
  return !begin.starts_with("qfw checkpoint\n") && !begin.starts_with("\x89HDF");
}

std::unique_ptr<Predictor> of_model_file(const fs::path& file, std::vector<std::string> overrides, const Catalog& catalog) {
  std::vector<std::string> options = take_plugin_options(overrides, Backend::kind);
  if (!overrides.empty()) {
    fail(Error::Category::usage, "predict", fmt::format("--{} is given for a model, which has no recipe", overrides.front()),
         {}, "backend.name and the backend's options may be given");
  }
  std::string name = "cpu";
  std::erase_if(options, [&](const std::string& text) {
    if (!text.starts_with("name=")) return false;
    name = text.substr(text.find('=') + 1);
    return true;
  });
  const auto& factory = catalog.get<Backend>(name);
  const Settings settings = plugin_settings(factory, options);
  return std::make_unique<Predictor>(
      predict::model_file(file).model, [&factory, settings] { return factory.make(settings); }, Predictor::Settings{});
}

std::unique_ptr<Predictor> of_run(const fs::path& given, const std::vector<std::string>& overrides, const Catalog& catalog) {
  const RunSource source = find_run(given);
  const Recipe recipe = load_recipe(source.recipe, overrides, catalog, Session::Data::optional);
  Session session(recipe, Session::Data::optional);
  FrozenModel model = frozen_model(session, *source.checkpoint);
  say_idle_overrides(session, source.checkpoint->info().step, source.recipe, overrides, catalog);
  if (!model.preparation) {
    fail(Error::Category::usage, "predict",
         fmt::format("augment {} has no words for what an evaluation does to a picture", recipe.name("augment")),
         source.path.string(), "run `qfw eval`, or choose an augment that has (Augment::preparation)");
  }
  return std::make_unique<Predictor>(
      std::move(model), [recipe] { return recipe.make<Backend>(); }, Predictor::Settings{});
}

/// Pictures of which logits are known, or why not.
struct Result {
  std::string file;
  std::vector<float> logits;
  std::string error;  ///< empty: none
};

std::string name_of_class(const Predictor& predictor, std::size_t index) {
  const auto& labels = predictor.model().labels;
  return labels.empty() ? fmt::format("class {}", index) : labels[index];
}

void print_result(const Predictor& predictor, const Result& result, std::size_t count) {
  if (!result.error.empty()) {
    logger().error("{}", result.error);
    return;
  }
  std::string text = result.file + "\n";
  std::size_t widest = 0;
  const auto scores = predict::top(result.logits, count);
  for (const auto& score : scores) widest = std::max(widest, name_of_class(predictor, score.index).size());
  for (std::size_t i = 0; i < scores.size(); ++i) {
    text += fmt::format("{:>4}  {:<{}}  {:>6.2f} %  {:>12.6g}\n", i + 1, name_of_class(predictor, scores[i].index), widest,
                        100 * scores[i].probability, scores[i].logit);
  }
  print_text(text);
}

void print_json(const Predictor& predictor, const Result& result, std::size_t count) {
  boost::json::object line{{"image", result.file}};
  if (!result.error.empty()) {
    line["error"] = result.error;
  } else {
    boost::json::array all;
    for (const auto& score : predict::top(result.logits, count)) {
      boost::json::object one{{"class", score.index}};
      if (!predictor.model().labels.empty()) one["label"] = predictor.model().labels[score.index];
      one["logit"] = score.logit;
      one["probability"] = score.probability;
      all.push_back(std::move(one));
    }
    line["top"] = std::move(all);
  }
  fmt::print("{}\n", json_line(line));
}

/// A few pictures at once; what cannot be read takes no place among them.
std::vector<Result> results_of(const Predictor& predictor, std::span<const std::string> files) {
  std::vector<Result> results;
  std::vector<float> images;
  std::vector<std::size_t> whose;
  for (const std::string& file : files) {
    Result& result = results.emplace_back(Result{file, {}, {}});
    std::vector<float> image(predictor.image_elements());
    try {
      predictor.prepare(predict::picture_file(file), image);
      images.insert(images.end(), image.begin(), image.end());
      whose.push_back(results.size() - 1);
    } catch (const Error& error) {
      if (error.category() != Error::Category::data) throw;
      result.error = error.what();
      if (result.error.find(file) == std::string::npos) result.error += " (" + file + ")";
    }
  }
  std::vector<float> logits(whose.size() * predictor.classes());
  predictor.images(images, logits);
  for (std::size_t i = 0; i < whose.size(); ++i) {
    const auto begin = logits.begin() + static_cast<std::ptrdiff_t>(i * predictor.classes());
    results[whose[i]].logits.assign(begin, begin + static_cast<std::ptrdiff_t>(predictor.classes()));
  }
  return results;
}

int run(const Arguments& arguments, const Catalog& catalog) {
  const fs::path given = arguments.positional.at(0);
  const std::span<const std::string> files = std::span(arguments.positional).subspan(1);
  const auto count = static_cast<std::size_t>(arguments.number("top", 5, 1));
  const auto predictor =
      is_model_file(given) ? of_model_file(given, arguments.overrides, catalog) : of_run(given, arguments.overrides, catalog);
  const InterruptGuard guard("stopping after the pictures at hand");
  const auto at_once = static_cast<std::size_t>(predictor->batch());
  std::int64_t failures = 0;
  for (std::size_t first = 0; first < files.size(); first += at_once) {
    stop_if_interrupted("predict");
    for (const Result& result : results_of(*predictor, files.subspan(first, std::min(at_once, files.size() - first)))) {
      failures += !result.error.empty();
      if (arguments.has("json")) {
        print_json(*predictor, result, count);
      } else {
        print_result(*predictor, result, count);
      }
    }
    std::fflush(stdout);
  }
  if (failures == 0) return 0;
  logger().error("{} of {} could not be read", failures, counted(static_cast<std::int64_t>(files.size()), "picture"));
  return 1;
}

}  // namespace

Verb predict_verb() {
  Verb verb;
  verb.name = "predict";
  verb.positional = "RUN|MODEL.onnx PICTURE...";
  verb.min_positional = 2;
  verb.max_positional = std::numeric_limits<std::size_t>::max();
  verb.summary = "name what pictures show: the classes with the largest logits";
  verb.doc =
      "RUN is a run folder, or a checkpoint file in one; MODEL.onnx what `qfw export` made of one in the form `exact`. PICTURE "
      "is a "
      "JPEG,\n"
      "PNG or WebP file, prepared as the run's evaluations do. One that cannot be read is told, the others go on, and the exit "
      "status is 1.\n"
      "Recipe keys may follow for a RUN, backend.name and its options for both, for example --backend.name=reference.";
  verb.takes_overrides = true;
  verb.options = {
      {"top", "K", "how many classes (5)"},
      {"json", "",
       "print one JSON object a line for each picture: image, and top (class, label, logit, probability) or error"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
