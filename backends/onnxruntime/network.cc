#include "network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <numeric>
#include <set>

#include "qfw/error.h"
#include "qfw/onnx/read.h"
#include "qfw/preparation.h"

namespace qfw::onnxruntime {
namespace {

namespace json = boost::json;

constexpr const char *images_name = "images", *pixels_name = "pixels", *logits_name = "logits", *form_key = "qfw.form";

/// The names of the values that a site has in a model.
std::set<std::string> names_of_sites(const Graph& graph) {
  std::set<std::string> names;
  for (const QuantizedSite& site : graph.sites) {
    if (site.sums.node >= 0) names.insert(site.path + "/sums");
    if (site.product.node >= 0) names.insert(site.path + "/product");
  }
  return names;
}

/// Protobuf: a message field of a number below 16.
std::string field(int number, const std::string& bytes) {
  std::string text(1, static_cast<char>(number << 3 | 2));
  for (std::size_t size = bytes.size();; size >>= 7) {
    const auto low = static_cast<char>(size & 0x7f);
    if (size < 0x80) {
      text.push_back(low);
      break;
    }
    text.push_back(static_cast<char>(low | 0x80));
  }
  return text + bytes;
}

/// What makes values of a model outputs when it is put behind it: the second half of a message is merged with the first.
std::string as_outputs(const std::vector<std::string>& values) {
  constexpr int model_graph = 7, graph_output = 12, value_name = 1;
  std::string outputs;
  for (const std::string& value : values) outputs += field(graph_output, field(value_name, value));
  return values.empty() ? outputs : field(model_graph, outputs);
}

std::string text_of(const std::vector<Session::Port>& ports) {
  std::vector<std::string> texts;
  for (const Session::Port& port : ports) {
    const char* element = port.element == Session::Element::f32 ? "f32" : port.element == Session::Element::u8 ? "u8" : "?";
    std::vector<std::string> extents;
    for (const std::int64_t extent : port.shape) extents.push_back(extent < 0 ? "n" : fmt::to_string(extent));
    texts.push_back(fmt::format("{} {}[{}]", port.name, element, fmt::join(extents, ", ")));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

/// Whether extents of a model, of which those below 0 may be any, are these.
bool fits(const std::vector<std::int64_t>& model, std::initializer_list<std::int64_t> wanted) {
  return std::ranges::equal(model, wanted, [](std::int64_t a, std::int64_t b) { return a < 0 || b < 0 || a == b; });
}

std::vector<double> numbers_in(const json::value& value) {
  std::vector<double> numbers;
  for (const json::value& each : value.as_array()) numbers.push_back(each.to_number<double>());
  return numbers;
}

template <class Choice>
Choice choice_named(const json::value& name, std::initializer_list<Choice> choices) {
  for (const Choice choice : choices) {
    if (name.as_string() == image::name_of(choice)) return choice;
  }
  throw std::invalid_argument("an unknown word: " + std::string(name.as_string()));
}

image::Preparation preparation_in(const std::string& text) {
  using Preparation = image::Preparation;
  const json::object object = json::parse(text).as_object();
  Preparation preparation;
  preparation.height = object.at("height").to_number<int>();
  preparation.width = object.at("width").to_number<int>();
  preparation.channels = object.at("channels").to_number<int>();
  preparation.fit = choice_named(object.at("fit"),
                                 {Preparation::Fit::exact, Preparation::Fit::centre_square, Preparation::Fit::shorter_side});
  preparation.bgr = object.at("bgr").as_bool();
  preparation.mean = numbers_in(object.at("mean"));
  preparation.stddev = numbers_in(object.at("stddev"));
  return preparation;
}

}  // namespace

bool is_network(const Graph& graph) {
  if (graph.training || !graph.variables.empty() || !graph.updates.empty()) return false;
  if (graph.inputs.size() != 1 || graph.inputs[0].name != images_name || graph.inputs[0].type.shape.rank() != 4) return false;
  if (graph.fetches.empty() || graph.fetches[0].name != logits_name) return false;
  const std::set<std::string> known = names_of_sites(graph);
  return std::all_of(graph.fetches.begin() + 1, graph.fetches.end(),
                     [&](const Fetch& fetch) { return known.contains(fetch.name); });
}

Network::Network(const Graph& graph, std::shared_ptr<const Runtime> runtime, const std::string& model,
                 const Treatment& treatment, const std::string& name, std::string remedy)
    : remedy_(std::move(remedy)),
      images_(graph.inputs.at(0).type),
      fetches_(graph.fetches),
      exchange_(graph, "onnxruntime"),
      nodes_(static_cast<int>(graph.nodes.size())) {
  std::vector<std::string> asked, values;
  for (const Fetch& fetch : fetches_) asked.push_back(fetch.name);
  values.assign(asked.begin() + 1, asked.end());
  open(runtime, model, values, treatment, name);
  check_input(graph);
  check_output(graph);
  session_->ask_for(std::move(asked));
}

void Network::open(const std::shared_ptr<const Runtime>& runtime, const std::string& model,
                   const std::vector<std::string>& values, const Treatment& treatment, const std::string& name) {
  try {
    session_ = std::make_unique<Session>(runtime, model + as_outputs(values), treatment, name);
    return;
  } catch (const Refusal& refusal) {
    if (values.empty()) refused(refusal, model, *runtime, name);
  }
  try {
    session_ = std::make_unique<Session>(runtime, model, treatment, name);
  } catch (const Refusal& refusal) {
    refused(refusal, model, *runtime, name);
  }
  unfit("it has no values PATH/sums and PATH/product of its layers, which the form exact alone has");
}

/// What cannot be loaded: what can be told of it without ONNX Runtime, and what that says.
void Network::refused(const Refusal& refusal, const std::string& model, const Runtime& runtime, const std::string& name) const {
  std::string found = fmt::format("it has no metadata {}, so `qfw export` did not write it", form_key);
  try {
    for (const auto& [key, text] : onnx::metadata(std::as_bytes(std::span(model)))) {
      if (key == form_key) found = fmt::format("its metadata {}: {}", form_key, text);
    }
  } catch (const Error&) {
    found = fmt::format("its {} bytes are no ONNX file, or only a part of one", model.size());
  }
  fail(Error::Category::data, "onnxruntime", fmt::format("{} cannot be loaded: {}", name, found),
       fmt::format("ONNX Runtime {} says: {}", runtime.version(), refusal.reason()), remedy_);
}

void Network::unfit(const std::string& what) const {
  const std::string form = session_->metadata(form_key);
  fail(Error::Category::data, "onnxruntime", fmt::format("{} is not a model of this network: {}", session_->name(), what),
       fmt::format("its inputs: {}; its outputs: {}; its metadata {}: {}", text_of(session_->inputs()),
                   text_of(session_->outputs()), form_key, form.empty() ? "none" : form),
       remedy_);
}

void Network::check_input(const Graph& graph) {
  const Shape& shape = graph.inputs[0].type.shape;
  const std::int64_t height = shape[1], width = shape[2], channels = shape[3];
  if (session_->inputs().size() != 1) unfit(fmt::format("it has {} inputs and not one", session_->inputs().size()));
  const Session::Port& port = session_->inputs()[0];
  pixels_ = port.name == pixels_name;
  if (!pixels_ && port.name != images_name) unfit("its input is neither images nor pixels");
  if (port.element != (pixels_ ? Session::Element::u8 : Session::Element::f32)) unfit("its input is of another type");
  channels_first_ = !pixels_ && fits(port.shape, {-1, channels, height, width});
  if (!channels_first_ && !fits(port.shape, {-1, height, width, channels})) {
    unfit(fmt::format("it does not take images of [{}, {}, {}] (height, width, channels)", height, width, channels));
  }
  piece_ = port.shape[0] > 0 ? port.shape[0] : shape[0];
  if (pixels_) read_preparation();
  input_ = session_->make_input(channels_first_ ? std::vector{piece_, channels, height, width}
                                                : std::vector{piece_, height, width, channels});
}

void Network::read_preparation() {
  constexpr const char* key = "qfw.preparation";
  const std::string text = session_->metadata(key);
  if (text.empty()) unfit(fmt::format("it takes pixels, and has no metadata {} that say what is made of them", key));
  try {
    pixels_of_images_.emplace(preparation_in(text));
  } catch (const std::exception& error) {
    unfit(fmt::format("its metadata {} cannot be understood: {}", key, error.what()));
  }
  if (pixels_of_images_->channels() != images_.shape[3]) unfit("its metadata tell of other channels");
}

void Network::check_output(const Graph& graph) const {
  const auto port = std::ranges::find(session_->outputs(), logits_name, &Session::Port::name);
  if (port == session_->outputs().end()) unfit("it has no output logits");
  if (port->element != Session::Element::f32 || !fits(port->shape, {-1, graph.type(fetches_[0].use).shape[1]})) {
    unfit(fmt::format("the logits are f32 of {} classes", graph.type(fetches_[0].use).shape[1]));
  }
}

/// An image. Evaluations fill their last batch up with zeros, and nobody looks at the logits of those: where zeros are no
/// pixels, any do.
void Network::feed_pixels(std::span<const float> image, std::span<std::byte> pixels) const {
  const auto astray = pixels_of_images_->take(image, pixels);
  if (!astray) return;
  if (std::ranges::all_of(image, [](float value) { return value == 0; })) {
    std::ranges::fill(pixels, std::byte{0});
    return;
  }
  fail(Error::Category::data, "onnxruntime",
       fmt::format("{} takes pixels, and {} in an image stands for none", session_->name(), image[*astray]),
       "its metadata qfw.preparation say what pixels become",
       "evaluate it with the augmentation it was exported with, on pictures of the network's size");
}

void Network::feed(std::span<const float> images, std::int64_t first, std::int64_t count) {
  const std::int64_t positions = images_.shape[1] * images_.shape[2], channels = images_.shape[3];
  const std::int64_t size = positions * channels;
  const float* from = images.data() + first * size;
  if (pixels_) {
    for (std::int64_t image = 0; image < count; ++image) {
      const auto place = static_cast<std::size_t>(image * size), elements = static_cast<std::size_t>(size);
      feed_pixels(images.subspan(static_cast<std::size_t>(first * size) + place, elements), input_.subspan(place, elements));
    }
    return;
  }
  auto* to = reinterpret_cast<float*>(input_.data());
  if (!channels_first_) {
    std::copy_n(from, count * size, to);
    return;
  }
  for (std::int64_t image = 0; image < count; ++image) {
    for (std::int64_t position = 0; position < positions; ++position) {
      for (std::int64_t channel = 0; channel < channels; ++channel) {
        to[image * size + channel * positions + position] = from[image * size + position * channels + channel];
      }
    }
  }
}

void Network::take(const Session::Result& result, const Fetch& fetch, const HostTensor& to, std::int64_t first,
                   std::int64_t count) const {
  const Shape& shape = to.type.shape;
  const std::int64_t channels = shape.channels(), size = shape.count() / shape[0];
  const bool image = shape.rank() == 4;
  const bool turned = image && fits(result.shape, {piece_, channels, shape[1], shape[2]});
  std::vector<std::int64_t> same(shape.begin(), shape.end());
  same[0] = piece_;
  if (!turned && result.shape != same) {
    fail(Error::Category::data, "onnxruntime",
         fmt::format("{} gives {} as [{}], the network as {}", session_->name(), fetch.name, fmt::join(result.shape, ", "),
                     to.type.str()));
  }
  const std::int64_t positions = size / channels;
  const auto put = [&](std::int64_t index, float value) {
    switch (to.type.dtype) {
      case DType::f32:
        to.as<float>()[static_cast<std::size_t>(index)] = value;
        return;
      case DType::bf16:
        to.as<BFloat16>()[static_cast<std::size_t>(index)] = BFloat16(value);
        return;
      case DType::f16:
        to.as<Float16>()[static_cast<std::size_t>(index)] = Float16(value);
        return;
      default:
        fail(Error::Category::internal, "onnxruntime", fmt::format("{} is {}", fetch.name, to.type.str()));
    }
  };
  for (std::int64_t row = 0; row < count; ++row) {
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t there = turned ? i % channels * positions + i / channels : i;
      put((first + row) * size + i, result.values[static_cast<std::size_t>(row * size + there)]);
    }
  }
}

void Network::run(Step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) {
  exchange_.check(feeds, fetches);
  intervals_.clear();
  const auto begin = std::chrono::steady_clock::now();
  const std::span<const float> images = feeds[0].as<float>();
  for (std::int64_t first = 0; first < images_.shape[0]; first += piece_) {
    const std::int64_t count = std::min(piece_, images_.shape[0] - first);
    feed(images, first, count);
    const std::vector<Session::Result>& results = session_->run();
    for (std::size_t i = 0; i < fetches.size(); ++i) take(results[i], fetches_[i], fetches[i], first, count);
  }
  if (profiling_) intervals_.push_back({begin, std::chrono::steady_clock::now()});
}

std::vector<Executable::Task> Network::tasks() const {
  std::vector<int> all(static_cast<std::size_t>(nodes_));
  std::iota(all.begin(), all.end(), 0);
  return {{.kind = "network",
           .implementation = "ONNX Runtime",
           .nodes = std::move(all),
           .bytes = static_cast<std::int64_t>(input_.size())}};
}

}  // namespace qfw::onnxruntime
