#include "run/evaluation_record.h"

#include <boost/json.hpp>
#include <cmath>

#include "data_tools/thumbnail.h"
#include "io/json.h"
#include "qfw/error.h"
#include "run/class_names.h"
#include "run/mistakes.h"

namespace qfw {

namespace {

namespace json = boost::json;

std::optional<Thumbnail> picture_of(const Dataset& dataset, const std::string& split, std::int64_t index) try {
  return thumbnail_of(dataset.get(split, index));
} catch (const Error&) {  // it was read a moment ago; whatever happened to it is no reason to stop
  return std::nullopt;
}

json::object to_json(const Scores::Example& example, const Dataset& dataset, const std::string& split) {
  const auto picture = picture_of(dataset, split, example.index);
  json::object object;
  object["index"] = example.index;
  object["where"] = dataset.place(split, example.index);
  object["label"] = example.label;
  object["predicted"] = example.predicted;
  object["probability"] = example.probability;
  object["label_probability"] = std::exp(-example.loss);
  object["loss"] = example.loss;
  object["width"] = picture ? json::value(picture->size.width) : json::value(nullptr);
  object["height"] = picture ? json::value(picture->size.height) : json::value(nullptr);
  object["image"] = picture ? json::value(picture->data_url) : json::value(nullptr);
  return object;
}

json::array to_json(const std::vector<Mistakes::Confusion>& confusions) {
  json::array array;
  for (const auto& [label, predicted, count] : confusions) {
    array.push_back({{"label", label}, {"predicted", predicted}, {"count", count}});
  }
  return array;
}

}  // namespace

void write_evaluation(const RunView& run, const EvaluationResult& evaluation) {
  const std::string& split = run.session.validation_split();
  const Dataset& dataset = run.session.dataset(split);
  const Mistakes mistakes = mistakes_in(evaluation.details.examples, run.session.data().classes);
  const auto names = class_names_of(dataset);
  json::object object;
  object["step"] = run.completed;
  object["examples"] = evaluation.scores.examples();
  object["top1"] = evaluation.scores.top1();
  object["top5"] = evaluation.scores.top5();
  object["loss"] = evaluation.scores.loss();
  object["classes"] = run.session.data().classes;
  object["class_names"] = names.empty() ? json::value(nullptr) : json::value_from(names);
  object["confusion"] = mistakes.matrix.empty() ? json::value(nullptr) : json::value_from(mistakes.matrix);
  object["confusions"] = to_json(mistakes.confusions);
  json::array& recall = object["recall"].emplace_array();
  for (const auto& share : mistakes.recall) recall.push_back(or_null(share));
  json::array& worst = object["worst"].emplace_array();
  for (const Scores::Example& example : mistakes.worst) worst.push_back(to_json(example, dataset, split));
  write_json(run.folder.evaluation(), object);
}

}  // namespace qfw
