#include "parity/integers/network.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>

#include "qfw/error.h"
#include "qfw/random.h"
#include "support/evaluate.h"

namespace qfw::parity {

namespace {

struct Quantized {
  const char *name, *keys;
};

constexpr const char* automatic = "name = weights_and_auto_acts\nactivation_bound_start_step = 0\n";

constexpr Quantized quantized[] = {
    {"w8a8", "weight_prec = 8\nact_prec = 8\ngranularity = per_tensor\n"},
    {"w4a4", "weight_prec = 4\nact_prec = 4\n"},
    {"w4a4_8",
     "weight_prec = 4\nact_prec = 4\n[layer:init_conv]\nweight_prec = 8\nact_prec = 8\n[layer:dense]\nweight_prec = "
     "8\nact_prec = 8\n"},
    {"w4a4_half_shift", "weight_prec = 4\nact_prec = 4\nweight_half_shift = true\nact_half_shift = true\n"},
    {"w8a8_aqt", "weight_prec = 8\nact_prec = 8\nquant_type = aqt\n"},
};

std::string recipe(const std::string& model, const std::string& shape, std::int64_t classes, std::int64_t batch,
                   const char* keys) {
  return fmt::format(
      "[model]\nname = resnet\n{}\n"
      "[dataset]\nname = random\nshape = {}\nclasses = {}\ntrain_examples = 64\n"
      "[train]\nbatch_size = {}\nsteps = 4\n[eval]\nbatch_size = {}\n"
      "[quantizer]\n{}arithmetic = integer\nrequire_integer = true\n{}",
      model, shape, classes, batch, batch, automatic, keys);
}

std::vector<Network> all_networks() {
  std::vector<Network> all;
  for (const int depth : {29, 50}) {
    for (const Quantized& q : quantized) {
      all.push_back(
          {fmt::format("resnet{}_{}", depth, q.name), recipe(fmt::format("depth = {}", depth), "64,64,3", 1000, 2, q.keys), 2});
    }
  }
  // Neither sizes nor channels are multiples of a vector.
  for (const Quantized& q : quantized) {
    all.push_back({fmt::format("odd_{}", q.name),
                   recipe("stages = 2,1\nnum_filters = 11\nfilter_multiplier = 1.37", "33,47,3", 23, 3, q.keys), 3});
  }
  return all;
}

bool ends_with(const std::string& name, std::string_view end) { return name.ends_with(end); }

/// What a variable that is a state of statistics or a parameter may sensibly be.
void fill(const Variable& variable, std::vector<float>& values) {
  std::uint64_t state = hash_of(variable.name);  // splitmix64: there are 25 million weights
  const auto uniform = [&state] {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return static_cast<double>((z ^ (z >> 31)) >> 40) * 0x1p-24;
  };
  const bool weights = ends_with(variable.name, "/kernel");
  const double fan_in = weights ? static_cast<double>(variable.type.shape.count() / variable.type.shape.channels()) : 1;
  const double width = 2 * std::sqrt(3 / fan_in);  // variance 1 / fan_in
  for (float& value : values) {
    if (weights) {
      value = static_cast<float>(width * (uniform() - 0.5));
    } else if (ends_with(variable.name, "/variance") || ends_with(variable.name, "/gamma")) {
      value = static_cast<float>(0.5 + uniform());
    } else if (ends_with(variable.name, "/bounds")) {
      value = static_cast<float>(0.7 + 2 * uniform());
    } else {
      value = static_cast<float>(uniform() - 0.5);
    }
  }
}

}  // namespace

const std::vector<Network>& networks() {
  static const std::vector<Network> all = all_networks();
  return all;
}

const Network& network(std::string_view name) {
  const auto found = std::ranges::find(networks(), name, &Network::name);
  if (found == networks().end()) fail(Error::Category::usage, "networks", fmt::format("there is no {}", name));
  return *found;
}

std::unique_ptr<Session> session_of(const Network& network, const std::string& backend, int threads) {
  LoadOptions load;
  load.dataset_optional = true;
  std::vector<std::string> overrides = {"backend.name=" + backend};
  if (backend == "cpu") overrides.push_back(fmt::format("backend.threads={}", threads));
  return std::make_unique<Session>(Recipe::parse(network.recipe, network.name + ".ini", overrides, testing::catalog(), load),
                                   Session::Data::optional);
}

std::vector<float> logits_of(const Network& network, Session& session) {
  const std::int64_t steps = session.total_steps();
  const Session::Evaluation& evaluation = session.evaluation(steps);
  for (const Variable& variable : evaluation.graph.variables) {
    std::vector<float> values(static_cast<std::size_t>(variable.type.shape.count()));
    fill(variable, values);
    session.write(variable.name, {variable.type, std::as_bytes(std::span(values))});
  }
  const Session::Compiled compiled = session.frozen(evaluation, steps);
  const TensorType& type = compiled.graph.inputs.at(0).type;
  std::vector<float> images(static_cast<std::size_t>(type.shape.count()));
  RandomStream random(21, 0);
  for (float& value : images) value = static_cast<float>(random.normal());
  std::vector<float> logits(static_cast<std::size_t>(network.images * session.data().classes));
  const Session::Exchange exchange{
      {{type, std::as_bytes(std::span(images))}},
      {{{{network.images, session.data().classes}, DType::f32}, std::as_writable_bytes(std::span(logits))}}};
  session.run(compiled, steps, {&exchange, 1});
  return logits;
}

void save(const std::vector<float>& values, const std::filesystem::path& file) {
  std::ofstream stream(file, std::ios::binary);
  stream.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  if (!stream.flush()) throw std::runtime_error("cannot write " + file.string());
}

std::vector<float> load(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  std::vector<float> values(static_cast<std::size_t>(stream.tellg()) / sizeof(float));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

}  // namespace qfw::parity
