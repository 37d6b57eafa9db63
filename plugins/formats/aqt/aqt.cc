#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "from_run.h"
#include "generate.h"
#include "json_object.h"
#include "layers.h"
#include "qfw/error.h"
#include "qfw/format.h"
#include "qfw/plugin.h"
#include "weights.h"

namespace {

using qfw::Format;
using qfw::aqt::Item;
using qfw::aqt::LayerQuantization;
using qfw::aqt::NamedLayer;
using qfw::aqt::Object;
using qfw::aqt::Positions;
using qfw::aqt::Problems;
using Type = Object::Type;

/// The hyperparameters of the original, as configuration (with global keys that flow down into layers) or as the effective
/// hyperparameters it writes out (every layer spelled out). Keys that are missing take the original's documented default.
class AqtFormat final : public Format {
 public:
  struct Options {
    static void declare(qfw::Declare<Options>&) {}
  };
  explicit AqtFormat(const Options&) {}

  std::vector<Setting> to_recipe(std::string_view text) const override;
  std::vector<Setting> assumed() const override {
    return {{"dataset", "name", "imagenet_tfds", {}},
            {"dataset", "shape", "224,224,3", {}},
            {"dataset", "classes", "1000", {}},
            {"dataset", "train_examples", "1281167", {}}};
  }
  std::vector<Alias> aliases() const override {
    return {{"quantizer",
             "name",
             "quant_target",
             {{"WEIGHTS_AND_AUTO_ACT", "weights_and_auto_acts"}, {"WEIGHTS_AND_FIXED_ACT", "weights_and_fixed_acts"}}}};
  }
  std::vector<Form> forms() const override {
    return {{"hparams", "the effective hyperparameters, every layer spelled out, as the original writes them beside a model"},
            {"config", "the configuration, with global keys besides, as the original is started with"}};
  }
  std::string from_recipe(const Run& run, std::string_view form) const override {
    return written(qfw::aqt::hyperparameters_of(run), form);
  }
  std::vector<Flag> flags() const override { return qfw::aqt::generator_flags(); }
  std::string generate(std::span<const std::pair<std::string, std::string>> flags, std::string_view form) const override {
    return written(qfw::aqt::generate(flags), form);
  }
  std::vector<Tensor> tensors(std::span<const qfw::Variable> variables, std::span<const std::string>) const override {
    return qfw::aqt::weights(variables);
  }
  bool recognizes(std::span<const std::string> names) const override {
    return std::ranges::any_of(names, [](const std::string& name) { return name.starts_with("params/"); });
  }
  /// What lies beside a network: the optimizer's state.
  bool is_incidental(std::string_view name) const override {
    return !name.starts_with("params/") && !name.starts_with("batch_stats/");
  }

 private:
  static std::string written(const qfw::aqt::Hyperparameters& hyperparameters, std::string_view form);
};

std::string AqtFormat::written(const qfw::aqt::Hyperparameters& hyperparameters, std::string_view form) {
  if (form == "hparams") return qfw::aqt::pretty(hyperparameters.hparams());
  if (form == "config") return qfw::aqt::pretty(hyperparameters.config());
  qfw::fail(qfw::Error::Category::usage, "aqt", fmt::format("there is no form {}", form), {}, "hparams or config");
}

class Translation {
 public:
  Translation(const boost::json::value& root, Positions positions)
      : problems_(std::move(positions)), top_(&root, "", problems_) {}
  std::vector<Format::Setting> run();

 private:
  void set(const char* section, const char* key, const Item& item) {
    settings_.push_back({section, key, item.value, item.origin});
  }
  void training();
  void schedule(const Item& rate);
  void optimizer(const Item& momentum, const Item& decay);
  void model();
  void block(const boost::json::value& value, std::size_t number, std::vector<int>& stages);
  void add_layer(const std::string& path, const LayerQuantization& layer, bool symmetric, const std::string& origin);

  Problems problems_;
  Object top_;
  std::vector<Format::Setting> settings_;
  std::vector<NamedLayer> layers_;
  std::map<std::string, LayerQuantization> residual_;  ///< what blocks inherit
  LayerQuantization conv_, dense_;
};

void Translation::training() {
  Object metadata = top_.object("metadata");
  for (const char* key : {"description", "last_updated_time"}) metadata.ignore(key);
  const Item name = metadata.scalar("hyper_str", Type::text, true, {"none", "metadata.hyper_str"});
  if (name.value != "none" && !name.value.empty()) set("", "description", name);
  metadata.finish();
  set("eval", "after_first_step", {"true", "when the original evaluates"});  // no key of its own
  set("run", "seed", top_.scalar("seed", Type::integer, false, {"0", "seed"}));
  const Item stop = top_.scalar("early_stop_steps", Type::integer, true, {"none", "early_stop_steps"});
  if (stop.value != "none" && !stop.value.starts_with('-')) set("train", "early_stop_steps", stop);
  top_.neutral("teacher_model", {"labels"});
  top_.neutral("is_teacher", {true});
}

void Translation::schedule(const Item& rate) {
  Object scheduler = top_.object("lr_scheduler");
  const auto number = [&](const char* key, const char* fallback) {
    return scheduler.scalar(key, Type::number, false, {fallback, scheduler.path(key)});
  };
  const Item name = scheduler.scalar("scheduler", Type::text, false, {"cosine", scheduler.path("scheduler")});
  const Item epochs = number("num_epochs", "250"), warmup = number("warmup_epochs", "5"),
             cooldown = number("cooldown_epochs", "50");
  const Item end = number("endlr", "0"), knee = number("knee_lr", "1e-05"), knee_epochs = number("knee_epochs", "125");
  scheduler.finish();
  set("schedule", "name", name);
  set("schedule", "base_learning_rate", rate);
  set("schedule", "num_epochs", epochs);
  set("schedule", "warmup_epochs", warmup);
  set("schedule", "cooldown_epochs", cooldown);
  if (name.value != "piecewise") return;  // the others have no use for the rest
  set("schedule", "endlr", end);
  set("schedule", "knee_lr", knee);
  set("schedule", "knee_epochs", knee_epochs);
}

void Translation::optimizer(const Item& momentum, const Item& decay) {
  const Item name = top_.scalar("optimizer", Type::text, false, {"sgd", "optimizer"});
  Object adam = top_.object("adam");
  const Item beta1 = adam.scalar("beta1", Type::number, false, {"0.9", "adam.beta1"});
  const Item beta2 = adam.scalar("beta2", Type::number, false, {"0.999", "adam.beta2"});
  adam.finish();
  set("optimizer", "name", name);
  set("optimizer", "weight_decay", decay);
  if (name.value == "adam") {
    set("optimizer", "beta1", beta1);
    set("optimizer", "beta2", beta2);
  } else {
    set("optimizer", "momentum", momentum);
  }
}

/// The model decides which inputs are signed, so the file may only say the same.
void Translation::add_layer(const std::string& path, const LayerQuantization& layer, bool symmetric,
                            const std::string& origin) {
  const char* expected = symmetric ? "symmetric" : "positive";
  if (layer.acts() && layer.distribution.origin.starts_with(origin) && layer.distribution.value != expected) {
    problems_.add(layer.distribution.origin, fmt::format("is \"{}\"; in ResNet with ReLU the input of {} is {}",
                                                         layer.distribution.value, path, expected));
  }
  layers_.push_back({path, layer});
}

void Translation::block(const boost::json::value& value, std::size_t number, std::vector<int>& stages) {
  Object block(&value, fmt::format("model_hparams.residual_blocks[{}]", number), problems_);
  const boost::json::value* projection = block.find("conv_proj");
  const bool first = projection != nullptr && !projection->is_null();
  if (first) stages.push_back(0);
  if (stages.empty()) {
    problems_.add(block.path("conv_proj"), "is null; the first block of each stage has one, and stages are told by it");
    stages.push_back(0);
  }
  const std::string path = fmt::format("stage{}/block{}/", stages.size(), stages.back()++);
  for (const char* name : {"conv_proj", "conv_1", "conv_2", "conv_3"}) {
    if (std::string_view(name) == "conv_proj" && !first) continue;
    Object layer = block.object(name);
    const bool symmetric = first && std::string_view(name) == "conv_1";
    add_layer(path + name, read_layer(layer, residual_.at(name)), symmetric, block.path(name));
    layer.finish();
  }
  block.ignore("conv_se");
  block.neutral("act_function", {"relu"});
  for (const char* key : {"shortcut_ch_shrink_method", "shortcut_ch_expand_method", "shortcut_spatial_method"})
    block.neutral(key, {"none"});
  block.finish();
}

void Translation::model() {
  Object model = top_.object("model_hparams");
  set("model", "name", {"resnet", "model_hparams"});
  const Item multiplier = model.scalar("filter_multiplier", Type::number, false, {"1", model.path("filter_multiplier")});
  model.neutral("act_function", {"relu"});
  model.neutral("se_ratio", {0.5});
  model.neutral("init_group", {32});

  Object init = model.object("conv_init");
  add_layer("init_conv", read_layer(init, conv_), true, init.path(""));
  init.finish();
  std::vector<int> stages;
  if (const boost::json::value* blocks = model.find("residual_blocks")) {
    if (blocks->is_array()) {
      std::size_t number = 0;
      for (const boost::json::value& value : blocks->get_array()) block(value, number++, stages);
    } else {
      problems_.add("model_hparams.residual_blocks", "is not a list");
    }
  }
  Object dense = model.object("dense_layer");
  add_layer("dense", read_layer(dense, dense_), false, dense.path(""));
  for (const char* key : {"act_sparsity", "weight_sparsity"}) dense.no_sparsity(key);
  dense.finish();
  model.finish();

  static constexpr std::pair<int, std::array<int, 4>> depths[] = {
      {29, {2, 2, 3, 2}}, {50, {3, 4, 6, 3}}, {101, {3, 4, 23, 3}}, {152, {3, 8, 36, 3}}, {200, {3, 24, 36, 3}}};
  const std::string origin = "model_hparams.residual_blocks";
  int depth = 0;
  for (const auto& [known, counts] : depths) {
    if (std::equal(counts.begin(), counts.end(), stages.begin(), stages.end())) depth = known;
  }
  if (depth != 0) {
    set("model", "depth", {std::to_string(depth), origin});
  } else if (!stages.empty()) {
    set("model", "stages", {fmt::format("{}", fmt::join(stages, ",")), origin});
  }
  set("model", "filter_multiplier", multiplier);
}

std::vector<Format::Setting> Translation::run() {
  const auto number = [&](const char* key, const char* fallback) {
    return top_.scalar(key, Type::number, false, {fallback, key});
  };
  const auto integer = [&](const char* key, const char* fallback) {
    return top_.scalar(key, Type::integer, false, {fallback, key});
  };
  const Item rate = number("base_learning_rate", "0.1"), momentum = number("momentum", "0.9"),
             decay = number("weight_decay", "1e-04");
  const Item bound_start = integer("activation_bound_start_step", "-1"),
             bound_freq = integer("activation_bound_update_freq", "-1");
  const Item weight_start = integer("weight_quant_start_step", "0");
  training();
  schedule(rate);
  optimizer(momentum, decay);

  const LayerQuantization global = read_globals(top_);
  Object conv = top_.object("conv"), dense = top_.object("dense_layer"), residual = top_.object("residual");
  conv_ = read_layer(conv, global);
  dense_ = read_layer(dense, global);
  for (const char* name : {"conv_proj", "conv_1", "conv_2", "conv_3"}) {
    Object layer = residual.object(name);
    residual_[name] = read_layer(layer, conv_);
    layer.finish();
  }
  residual.ignore("conv_se");
  for (Object* object : {&top_, &residual}) {
    object->neutral("act_function", {"relu"});
    for (const char* key : {"shortcut_ch_shrink_method", "shortcut_ch_expand_method", "shortcut_spatial_method"})
      object->neutral(key, {"none"});
  }
  for (const char* key : {"act_sparsity", "weight_sparsity"}) dense.no_sparsity(key), top_.no_sparsity(key);
  top_.no_sparsity("sparsity");
  conv.finish();
  dense.finish();
  residual.finish();
  model();
  top_.finish();
  problems_.raise();
  std::vector<Format::Setting> quantization = qfw::aqt::quantizer_settings(layers_, bound_start, bound_freq, weight_start);
  settings_.insert(settings_.end(), quantization.begin(), quantization.end());
  return std::move(settings_);
}

std::vector<Format::Setting> AqtFormat::to_recipe(std::string_view text) const {
  boost::json::error_code error;
  const boost::json::value root = boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) qfw::fail(qfw::Error::Category::usage, "aqt", qfw::aqt::syntax_fault(text));
  if (!root.is_object()) qfw::fail(qfw::Error::Category::usage, "aqt", "this is JSON, but not an object of hyperparameters");
  return Translation(root, Positions(text)).run();
}

}  // namespace

QFW_PLUGIN("format:aqt", .name = "format_aqt", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "the JSON hyperparameters of google/aqt's ImageNet example")
(qfw::Registry& registry) {
  registry.add<AqtFormat>("aqt", "JSON hyperparameters of google/aqt's ImageNet example, in both forms");
}
