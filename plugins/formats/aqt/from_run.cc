#include "from_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <functional>
#include <set>

#include "qfw/error.h"

namespace qfw::aqt {
namespace {

namespace json = boost::json;

using Options = std::map<std::string, std::string, std::less<>>;
using Problems = std::vector<std::string>;

double number_of(const std::string& text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
std::optional<int> precision(const std::string& text) {
  if (text == "none") return std::nullopt;
  return static_cast<int>(number_of(text));
}

/// The settings of one section, each of which must be asked for or be harmless.
class Section {
 public:
  Section(const Format::Run& run, std::string name, Problems& problems) : name_(std::move(name)), problems_(problems) {
    for (const Format::Setting& setting : run.settings) {
      if (setting.section == name_) options_.emplace(setting.key, setting.value);
    }
  }

  std::string text(std::string_view key, std::string otherwise = {}) {
    asked_.emplace(key);
    const auto found = options_.find(key);
    return found == options_.end() ? otherwise : found->second;
  }
  double number(std::string_view key, double otherwise) {
    const std::string found = text(key);
    return found.empty() || found == "none" ? otherwise : number_of(found);
  }
  void only(std::string_view key, std::initializer_list<std::string_view> allowed) {
    const std::string found = text(key);
    if (found.empty() || std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return;
    problems_.push_back(fmt::format("{}.{} = {}", name_, key, found));
  }
  void ignore(std::string_view key) { asked_.emplace(key); }
  /// What nobody asked for has no words.
  void finish() {
    for (const auto& [key, value] : options_) {
      if (!asked_.contains(key)) problems_.push_back(fmt::format("{}.{} = {}", name_, key, value));
    }
  }

 private:
  std::string name_;
  Problems& problems_;
  Options options_;
  std::set<std::string, std::less<>> asked_;
};

void read_training(const Format::Run& run, Hyperparameters& h, Problems& problems) {
  h.hyper_str = run.description;
  Section schedule(run, "schedule", problems);
  h.scheduler = schedule.text("name");
  h.base_learning_rate = schedule.number("base_learning_rate", h.base_learning_rate);
  h.num_epochs = schedule.number("num_epochs", h.num_epochs);
  h.warmup_epochs = schedule.number("warmup_epochs", h.warmup_epochs);
  h.cooldown_epochs = schedule.number("cooldown_epochs", h.cooldown_epochs);
  h.endlr = schedule.number("endlr", h.endlr);
  h.knee_lr = schedule.number("knee_lr", h.knee_lr);
  h.knee_epochs = schedule.number("knee_epochs", h.knee_epochs);
  schedule.only("reference_batch", {"256"});
  schedule.only("step_lr_coeff", {"0.2"});
  schedule.only("step_lr_intervals", {"6"});
  schedule.only("name", {"cosine", "linear", "piecewise", "step"});
  schedule.finish();

  Section optimizer(run, "optimizer", problems);
  optimizer.only("name", {"sgd", "adam"});
  h.optimizer = optimizer.text("name");
  h.weight_decay = optimizer.number("weight_decay", h.weight_decay);
  if (h.optimizer == "adam") {
    h.beta1 = optimizer.number("beta1", h.beta1);
    h.beta2 = optimizer.number("beta2", h.beta2);
    optimizer.only("epsilon", {"1e-08", "1e-8"});
  } else {
    h.momentum = optimizer.number("momentum", h.momentum);
    optimizer.only("nesterov", {"true"});
  }
  optimizer.finish();

  Section train(run, "train", problems);
  h.early_stop_steps = static_cast<std::int64_t>(train.number("early_stop_steps", -1));
  Section general(run, "run", problems);
  h.seed = static_cast<std::int64_t>(general.number("seed", 0));
}

std::string preset_bounds(const Options& options) {
  const auto found = options.find("bounds");
  return found == options.end() ? "none" : found->second;
}

json::value json_value(const std::string& key, const std::string& text) {
  if (text == "none") return nullptr;
  if (text == "true" || text == "false") return text == "true";
  return key == "granularity" ? json::value(text) : json::value(number_of(text));
}

LayerSettings layer_of(const Format::Run::Layer& layer, bool quantizes, Problems& problems) {
  const Options options(layer.quantizer.begin(), layer.quantizer.end());
  const auto text = [&](const char* key, const char* otherwise) {
    const auto found = options.find(key);
    return found == options.end() ? std::string(otherwise) : found->second;
  };
  LayerSettings result;
  result.weight_prec = quantizes ? precision(text("weight_prec", "none")) : std::nullopt;
  result.weight_half_shift = text("weight_half_shift", "false") == "true";
  result.act_half_shift = text("act_half_shift", "false") == "true";
  result.quant_type = text("quant_type", "fake_quant");
  result.granularity = text("weight_quant_granularity", "per_channel");
  result.act_prec = quantizes ? precision(text("act_prec", "none")) : std::nullopt;
  const std::string bounds = quantizes ? preset_bounds(options) : "none";
  if (bounds == "auto") {
    json::object object = default_bounds();
    for (auto& [key, value] : object) value = json_value(key, text(std::string(key).c_str(), ""));
    result.bounds = std::move(object);
  } else if (bounds != "none") {
    result.bounds = number_of(bounds);
  } else if (result.act_prec) {
    // Activations without bounds are not quantized whatever their precision: the original then has no quant_act.
    result.has_acts = false;
    result.act_prec.reset();
    result.act_half_shift = false;
  }
  if (!layer.is_dense && result.granularity != "per_channel") {
    problems.push_back(fmt::format("layer {}: weight_quant_granularity = {}", layer.path, result.granularity));
  }
  if (text("ste_ties", "half") != "half")
    problems.push_back(fmt::format("layer {}: ste_ties = {}", layer.path, text("ste_ties", "")));
  return result;
}

/// Of all layers, which the original keeps once.
std::int64_t common(const Format::Run& run, const char* key, std::int64_t otherwise, Problems& problems) {
  std::set<std::string> values;
  for (const auto& layer : run.layers) {
    for (const auto& [name, value] : layer.quantizer) {
      if (name == key) values.insert(value);
    }
  }
  if (values.size() > 1) problems.push_back(fmt::format("{} differs between layers: {}", key, fmt::join(values, ", ")));
  return values.empty() ? otherwise : static_cast<std::int64_t>(number_of(*values.begin()));
}

void read_layers(const Format::Run& run, Hyperparameters& h, Problems& problems) {
  Section quantizer(run, "quantizer", problems);
  const std::string name = quantizer.text("name");
  const bool quantizes = name != "none";
  static const std::set<std::string_view> known = {"none", "weights_only", "weights_and_fixed_acts", "weights_and_auto_acts"};
  if (!known.contains(name)) {
    problems.push_back("quantizer.name = " + name);
    return;
  }
  bool automatic = false;
  std::map<std::string, LayerSettings, std::less<>> blocks;
  for (const Format::Run::Layer& layer : run.layers) {
    const LayerSettings settings = layer_of(layer, quantizes, problems);
    automatic = automatic || settings.bounds.is_object();
    if (layer.path == "init_conv") {
      h.init_conv = settings;
    } else if (layer.path == "dense") {
      h.dense = settings;
    } else {
      const std::size_t slash = layer.path.rfind('/');
      const std::string_view part = std::string_view(layer.path).substr(slash + 1);
      const std::string block = layer.path.substr(0, slash);
      if (h.blocks.empty() || !blocks.contains(block)) {
        h.blocks.emplace_back();
        blocks.emplace(block, settings);
      }
      if (part == "conv_proj") h.blocks.back().projection = settings;
      for (std::size_t i = 0; i < 3; ++i) {
        if (part == fmt::format("conv_{}", i + 1)) h.blocks.back().convolutions[i] = settings;
      }
    }
  }
  if (quantizes) h.weight_quant_start_step = common(run, "weight_quant_start_step", 0, problems);
  if (automatic) {
    h.activation_bound_start_step = common(run, "activation_bound_start_step", -1, problems);
    h.activation_bound_update_freq = common(run, "activation_bound_update_freq", -1, problems);
  }
}

}  // namespace

Hyperparameters hyperparameters_of(const Format::Run& run) {
  Hyperparameters h;
  Problems problems;
  read_training(run, h, problems);
  Section model(run, "model", problems);
  model.only("name", {"resnet"});
  h.filter_multiplier = model.number("filter_multiplier", 1);
  model.only("num_filters", {"64"});
  model.only("padding", {"same"});
  model.only("stem", {"imagenet"});
  model.only("stride", {"3x3"});
  model.only("bn_epsilon", {"1e-05"});
  for (const char* said_by_the_layers : {"depth", "stages"}) model.ignore(said_by_the_layers);
  model.finish();
  read_layers(run, h, problems);
  if (!problems.empty()) {
    fail(Error::Category::usage, "aqt",
         fmt::format("the original's hyperparameters have no words for {}", fmt::join(problems, "; ")));
  }
  return h;
}

}  // namespace qfw::aqt
