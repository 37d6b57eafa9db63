#pragma once

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "onnx.pb.h"
#include "passes/freeze.h"
#include "qfw/onnx/write.h"
#include "qfw/random.h"
#include "unit/passes/support.h"

/// Small frozen models, and their files taken apart.
namespace qfw::testing {

/// Codes of `bits` with a scale for each channel: of weights by their maximum, of activations by a bound that is a variable.
struct Bits final : Quantizer {
  int bits = 4;
  bool halves = false, whole_tensor = false;

  Operand quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value x, Phase) const override {
    const bool is_weights = role == Role::weights, has_sign = is_weights || site.src_signed;
    const double top = has_sign ? (1 << (bits - 1)) - (halves ? 0.5 : 1) : (1 << bits) - 1;
    const Shape bounds = whole_tensor ? Shape{} : Shape{x.shape().channels()};
    const Value bound = is_weights ? reduce_max(abs(x), Keep::channel) : g.state("bound", bounds, Init::constant(1));
    const Value scale = top / bound;
    const auto low = static_cast<float>(has_sign ? -top : 0), high = static_cast<float>(top);
    if (!has_sign) return {clip(floor(x * scale), 0, top), scale, Grid{low, high}};
    if (halves) return {floor(clip(x * scale, -top - 0.49, top + 0.49)) + 0.5, scale, Grid{low, high}};
    return {floor(clip(x * scale, -top, top) + 0.5), scale, Grid{low, high}};
  }
};

/// Three channels of 4 x 4 pixels: a convolution, a pooling whose padding has one side, one in groups, the head.
inline Value small_network(GraphBuilder& g, Value x, std::int64_t classes) {
  x = layers::conv(g, "conv", x, {.features = 4, .kernel = {3, 3}, .src_signed = true});
  x = relu(layers::batch_norm(g, "bn", x));
  x = max_pool(x, {.window = {3, 3}, .stride = {2, 2}, .padding = {{0, 0}, {1, 1}}});
  x = layers::conv(g, "grouped", x, {.features = 6, .kernel = {1, 1}, .groups = 2});
  x = relu(layers::batch_norm(g, "bn_grouped", x));
  x = layers::conv(g, "last", x, {.features = 4});
  x = relu(x);
  return layers::linear(g, "dense", mean_over_space(x), {.features = classes});
}

/// Variables between -1 and 1 that depend on their names alone; variances and bounds are above 0.
inline Evaluator::Values variables_of(const Graph& graph) {
  Evaluator::Values values;
  for (const Variable& variable : graph.variables) {
    RandomStream random(7, hash_of(variable.name));
    auto& all = values[variable.name];
    all.resize(static_cast<std::size_t>(variable.type.shape.count()));
    const bool positive = variable.name.ends_with("/variance") || variable.name.ends_with("/bound");
    for (float& value : all) value = static_cast<float>(positive ? 0.5 + random.uniform() : 2 * random.uniform() - 1);
  }
  return values;
}

struct Made {
  bool integer = true;
  DType compute = DType::f32;
  Shape images{2, 4, 4, 3};
};

inline FrozenModel frozen_model(const Model::Body& body, const Quantizer& quantizer, const Made& made = {}) {
  const Model network(body);
  StepDescription step = description(network, quantizer);
  step.images = made.images;
  step.quantization.integer = made.integer;
  step.quantization.compute = made.compute;
  const Graph whole = expand_composites(evaluation_graph(step), [](const Node&) { return true; });
  const Freeze parts(whole);
  Evaluator evaluator;
  FrozenModel model;
  model.graph = parts.frozen(evaluator.fetch(parts.prepare(), variables_of(whole)));
  model.preparation = image::Preparation{.height = 4, .width = 4, .channels = 3, .mean = {0.5}, .stddev = {0.25}};
  model.labels = {"cat", "dog", "a \"bird\""};
  model.provenance = {.qfw = "1.2.3", .recipe = "[model]\nname = small\n", .checkpoint = "00ff", .step = 60, .phase = "all"};
  verify(model);
  return model;
}

inline FrozenModel small_model(int bits = 4, bool halves = false) {
  Bits quantizer;
  quantizer.bits = bits;
  quantizer.halves = halves;
  return frozen_model(small_network, quantizer);
}

/// A file taken apart.
struct Parts {
  onnx::pb::ModelProto file;

  explicit Parts(const std::string& bytes) { EXPECT_TRUE(file.ParseFromString(bytes)); }

  std::vector<std::string> ops() const {
    std::vector<std::string> all;
    for (const auto& node : file.graph().node()) all.push_back(node.op_type());
    return all;
  }
  std::int64_t count(const std::string& op) const {
    const auto all = ops();
    return std::ranges::count(all, op);
  }
  const onnx::pb::NodeProto& node(const std::string& output) const {
    for (const auto& node : file.graph().node()) {
      if (node.output(0) == output) return node;
    }
    ADD_FAILURE() << "no node gives " << output;
    return file.graph().node(0);
  }
  const onnx::pb::TensorProto& initializer(const std::string& name) const {
    for (const auto& tensor : file.graph().initializer()) {
      if (tensor.name() == name) return tensor;
    }
    ADD_FAILURE() << "there is no initializer " << name;
    return onnx::pb::TensorProto::default_instance();
  }
  std::vector<float> floats(const std::string& name) const {
    const std::string& bytes = initializer(name).raw_data();
    std::vector<float> values(bytes.size() / sizeof(float));
    std::memcpy(values.data(), bytes.data(), bytes.size());
    return values;
  }
  std::vector<std::int64_t> ints(const onnx::pb::NodeProto& node, const std::string& attribute) const {
    for (const auto& each : node.attribute()) {
      if (each.name() == attribute) return {each.ints().begin(), each.ints().end()};
    }
    return {};
  }
  std::map<std::string, std::string> metadata() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : file.metadata_props()) all[entry.key()] = entry.value();
    return all;
  }
};

inline Parts parts_of(const FrozenModel& model, const onnx::WriteOptions& options = {}, const Exporter::Notes& notes = {}) {
  return Parts(onnx::write(model, notes, options));
}

inline const ConstantTensor& tensor(const FrozenModel& model, const std::string& name) {
  const auto found = std::ranges::find(model.graph.tensors, name, &ConstantTensor::name);
  if (found == model.graph.tensors.end()) throw std::out_of_range(name);
  return *found;
}

inline std::string error_of(const FrozenModel& model, const onnx::WriteOptions& options) {
  try {
    onnx::promise(model, options);
  } catch (const Error& error) {
    return error.category() == Error::Category::usage ? error.what() : "another category: " + std::string(error.what());
  }
  return "no error";
}

}  // namespace qfw::testing
