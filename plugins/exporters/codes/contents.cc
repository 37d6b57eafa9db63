#include "contents.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <set>

#include "draft.h"
#include "json_text.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"

namespace qfw::codes {

namespace {

namespace json = boost::json;

constexpr int version = 1;

json::array numbers(const std::vector<double>& all) {
  json::array list;
  for (const double number : all) list.push_back(json_number(number));
  return list;
}

json::value preparation_of(const std::optional<image::Preparation>& preparation) {
  if (!preparation) return nullptr;
  const auto& [height, width, channels, fit, filter, margin, bgr, mean, stddev] = *preparation;
  return json::object{{"height", height},
                      {"width", width},
                      {"channels", channels},
                      {"fit", image::name_of(fit)},
                      {"filter", image::name_of(filter)},
                      {"margin", margin},
                      {"bgr", bgr},
                      {"mean", numbers(mean)},
                      {"stddev", numbers(stddev)}};
}

json::object input_of(Draft& draft) {
  const FrozenModel& model = draft.model;
  json::object about{{"value", model.graph.inputs[0].name}, {"layout", "NHWC"}, {"dtype", "f32"}};
  const Shape image = model.image();
  about["shape"] = json::array{"N", image[0], image[1], image[2]};
  about["preparation"] = preparation_of(model.preparation);
  if (model.preparation) {
    const auto tables = image::tables_of(*model.preparation);
    std::vector<float> all;
    for (const auto& of_channel : tables) all.insert(all.end(), of_channel.begin(), of_channel.end());
    about["tables"] = draft.add("input/tables", {static_cast<std::int64_t>(tables.size()), 256}, all);
  }
  return about;
}

json::object arrays_of(const Contents& contents) {
  json::object all;
  for (const Array& array : contents.arrays) {
    json::array shape;
    for (const std::int64_t extent : array.type.shape) shape.emplace_back(extent);
    all[array.name] = json::object{{"dtype", name_of(array.type.dtype)}, {"shape", std::move(shape)}};
  }
  return all;
}

json::object ops_of(const Graph& graph) {
  std::set<Op> used;
  for (const Node& node : graph.nodes) used.insert(node.op);
  json::object ops;
  for (const Op op : used) {
    if (class_of(op) != OpClass::source) ops[name_of(op)] = definition(op).doc;
  }
  return ops;
}

}  // namespace

void require_integers(const FrozenModel& model) {
  const QuantizedSite* first = nullptr;
  std::size_t floats = 0;
  for (const QuantizedSite& site : model.graph.sites) {
    if (site.integer) continue;
    if (first == nullptr) first = &site;
    ++floats;
  }
  constexpr const char* remedy =
      "train or calibrate with quantizer.arithmetic = integer and bits for weights and activations of every layer (`qfw "
      "explain` "
      "tells of each layer why not), or choose an exporter that writes floats";
  if (first != nullptr) {
    const std::string others = floats > 1 ? fmt::format(", and {} more layers", floats - 1) : "";
    fail(Error::Category::usage, "codes", "its product is none of integer codes: " + first->reason + others,
         "layer " + first->path, remedy);
  }
  for (const Node& node : model.graph.nodes) {
    if ((node.op != Op::conv2d && node.op != Op::dense) || node.outputs[0].dtype == DType::s32) continue;
    fail(Error::Category::usage, "codes", fmt::format("{} of floats", name_of(node.op)), "layer " + node.path, remedy);
  }
}

std::optional<Exporter::Written> written_in(std::string_view description) {
  json::error_code error;
  const json::value about = json::parse(description, error, {}, {.max_depth = 64});
  if (error || !about.is_object()) return {};
  const auto text = [](const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
  };
  const json::value *provenance = about.get_object().if_contains("provenance"),
                    *notes = about.get_object().if_contains("notes");
  if (text(about.get_object(), "format") != format_name || provenance == nullptr || !provenance->is_object()) return {};
  const json::object& from = provenance->get_object();
  const json::value* step = from.if_contains("step");
  Exporter::Written written{.provenance = {.qfw = text(from, "qfw"),
                                           .recipe = text(from, "recipe"),
                                           .checkpoint = text(from, "checkpoint"),
                                           .step = step != nullptr && step->is_int64() ? step->get_int64() : 0,
                                           .phase = text(from, "phase")},
                            .notes = {}};
  if (notes == nullptr || !notes->is_object()) return written;
  for (const auto& [name, note] : notes->get_object()) {
    if (note.is_string()) written.notes.emplace_back(name, note.get_string());
  }
  return written;
}

Contents contents_of(const FrozenModel& model, const Exporter::Notes& notes, const Search& search) {
  require_integers(model);
  Draft draft(model);
  json::array labels;
  for (const std::string& label : model.labels) labels.push_back(json_string(label));
  json::object told;
  for (const auto& [name, text] : notes) told[name] = json_string(text);
  const auto& [qfw, recipe, checkpoint, step, phase] = model.provenance;

  json::object about{{"format", format_name}, {"version", version}};
  about["provenance"] = json::object{{"qfw", json_string(qfw)},
                                     {"checkpoint", json_string(checkpoint)},
                                     {"step", step},
                                     {"phase", json_string(phase)},
                                     {"recipe", json_string(recipe)}};
  about["notes"] = std::move(told);
  about["input"] = input_of(draft);
  about["output"] = json::object{{"value", draft.values.name(model.graph.fetches[0].use)}, {"labels", std::move(labels)}};
  about["sites"] = describe_sites(draft);
  about["activations"] = describe_activations(draft, search);
  about["nodes"] = describe_nodes(draft);
  about["ops"] = ops_of(model.graph);
  about["arrays"] = arrays_of(draft.contents);
  draft.contents.description = json_text(about);
  return std::move(draft.contents);
}

}  // namespace qfw::codes
