// Networks as programs that predict read them: whatever the bytes, an error, or a network that both backends compute, with
// equal bits.
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "input.h"
#include "predict/backends.h"
#include "predict/model_file.h"
#include "predict/predictor.h"
#include "qfw/op_definition.h"

namespace {

/// Multiplications, more or less: large networks are slow, not different.
double cost_of(const qfw::Graph& graph) {
  double cost = 0;
  for (const qfw::Node& node : graph.nodes) {
    for (const qfw::TensorType& type : node.outputs) {
      double of_one = 1;
      if (qfw::class_of(node.op) == qfw::OpClass::matmul) {
        const qfw::Shape& weights = graph.type(node.inputs[1]).shape;
        of_one = static_cast<double>(weights.count()) / static_cast<double>(weights.channels());
      }
      if (const auto* pool = std::get_if<qfw::Pool>(&node.attributes)) {
        of_one = static_cast<double>(pool->window[0]) * static_cast<double>(pool->window[1]);
      }
      cost += of_one * static_cast<double>(type.shape.count());
    }
  }
  return cost;
}

/// None: a value on the way is no number, or a logit too large for one. Codes are proven to be whole and in range, but for NaN.
std::optional<std::vector<float>> logits_of(const qfw::FrozenModel& model, const char* backend) {
  const qfw::predict::Predictor predictor(model, qfw::predict::backend_named(backend, 1), {.batch = 2});
  std::vector<float> images(2 * predictor.image_elements()), logits(2 * predictor.classes());
  for (std::size_t i = 0; i < images.size(); ++i) images[i] = static_cast<float>(i * 37 % 101) / 25 - 2;
  try {
    predictor.images(images, logits);
  } catch (const qfw::Error& error) {
    const std::string_view what = error.what();
    if (what.starts_with("[cast]") && what.find("nan, not a whole number") != std::string_view::npos) return std::nullopt;
    if (what.find("beyond what floats hold") != std::string_view::npos) return std::nullopt;
    throw;
  }
  return logits;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  fuzz::expect_no_worse_than_an_error([&] {
    const predict::ModelFile file = predict::model_bytes(std::as_bytes(std::span(data, size)));
    if (cost_of(file.model.graph) > 2e6) return;
    const auto expected = logits_of(file.model, "reference");
    if (!expected) return;
    const auto found = logits_of(file.model, "cpu");
    if (!found || std::memcmp(found->data(), expected->data(), expected->size() * sizeof(float)) != 0) std::abort();
  });
  return 0;
}
