#include "fake_plugins.h"

#include <unistd.h>

#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/format.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/schedule.h"
#include "recipe/sections.h"

namespace qfw::testing {
namespace {

struct Nothing {
  static void declare(Declare<Nothing>&) {}
};

struct Net final : Layer {
  struct Options {
    int depth = 50;
    std::vector<int> stages;
    double filter_multiplier = 1;
    static void declare(Declare<Options>& option) {
      option("depth", &Options::depth, "layers", {.min = 1, .max = 1000});
      option("stages", &Options::stages, "blocks of each stage", {.min = 1});
      option("filter_multiplier", &Options::filter_multiplier, "width", {.min = 0.125});
    }
  };
  explicit Net(const Options&) {}
  Value build(GraphBuilder&, Value x, std::int64_t) const override { return x; }
};

struct Course final : Schedule {
  struct Options {
    double num_epochs = 250, base_learning_rate = 0.1;
    int warmup_epochs = 5;
    static void declare(Declare<Options>& option) {
      option("num_epochs", &Options::num_epochs, "epochs", {.min = 0});
      option("base_learning_rate", &Options::base_learning_rate, "rate");
      option("warmup_epochs", &Options::warmup_epochs, "epochs of warm-up", {.min = 0});
    }
  };
  explicit Course(const Options& options) {
    if (options.warmup_epochs > options.num_epochs) fail(Error::Category::usage, "schedule", "warm-up is longer than the run");
  }
  double value(const Clock&) const override { return 1; }
};

struct Constant final : Schedule {
  using Options = Nothing;
  explicit Constant(const Options&) {}
  double value(const Clock&) const override { return 1; }
};

struct Descent final : Optimizer {
  struct Options {
    double momentum = 0.9;
    static void declare(Declare<Options>& option) { option("momentum", &Options::momentum, "momentum", {.min = 0, .max = 1}); }
  };
  explicit Descent(const Options&) {}
  void update(GraphBuilder&, Value, Value, Value) const override {}
};

struct Images final : Dataset {
  struct Options {
    std::string data_dir, order = "sorted";
    std::optional<std::string> mirror;
    static void declare(Declare<Options>& option) {
      option("data_dir", &Options::data_dir, "folder");
      option("order", &Options::order, "of files", {.choices = {"sorted", "found"}});
      option("mirror", &Options::mirror, "elsewhere");
    }
  };
  explicit Images(const Options& options) {
    if (options.data_dir == "missing") fail(Error::Category::data, "images", "no such folder");
  }
  std::int64_t classes() const override { return 10; }
  Shape shape() const override { return {28, 28, 1}; }
  std::int64_t size(std::string_view) const override { return 100; }
  Example get(std::string_view, std::int64_t) const override { return {}; }
};

struct NoAugment final : Augment {
  using Options = Nothing;
  explicit NoAugment(const Options&) {}
  Shape output(const Shape& source) const override { return source; }
  void apply(const Example&, RandomStream&, bool, std::span<float>) const override {}
};

struct Device : Backend {
  struct Options {
    int threads = 0;
    static void declare(Declare<Options>& option) { option("threads", &Options::threads, "threads", {.min = 0, .max = 256}); }
  };
  explicit Device(const Options&) {}
  std::string describe() const override { return "fake"; }
  int threads() const override { return 1; }
  Support supports(const Graph&, const Node&) const override { return {}; }
  std::unique_ptr<Executable> compile(const Graph&, Communicator&) override { return nullptr; }
  void read(std::string_view, HostTensor) const override {}
  void write(std::string_view, HostView) override {}
};

struct PlainDevice final : Device {
  struct Options : Device::Options {
    static void declare(Declare<Options>& option) {
      option("threads", &Options::threads, "taken and not used", {.min = 0, .unused = true});
    }
  };
  explicit PlainDevice(const Options& options) : Device(options) {}
};

struct Alone final : Communicator {
  using Options = Nothing;
  explicit Alone(const Options&) {}
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(std::span<float>, Reduction) override {}
  void broadcast(std::span<std::byte>, int) override {}
  void barrier() override {}
};

/// Lines of `section key value`.
struct Lines final : Format {
  using Options = Nothing;
  explicit Lines(const Options&) {}
  std::vector<Setting> to_recipe(std::string_view text) const override {
    std::vector<Setting> settings;
    std::istringstream stream{std::string(text)};
    for (std::string section, key, value; stream >> section >> key >> value;) {
      if (section == "bad") fail(Error::Category::usage, "lines", "unknown key '" + key + "'");
      settings.push_back({section, key, value, "root." + key});
    }
    return settings;
  }
  std::vector<Alias> aliases() const override {
    return {{"optimizer", "momentum", "inertia", {{"LOTS", "0.99"}}}, {"train", "steps", "steps", {{"forever", "none"}}}};
  }
};

/// Serves recipes that name no format, as the one that comes with qfw does.
struct Original final : Format {
  using Options = Nothing;
  explicit Original(const Options&) {}
  std::vector<Setting> to_recipe(std::string_view) const override { return {}; }
  std::vector<Alias> aliases() const override {
    return {{"quantizer",
             "name",
             "quant_target",
             {{"WEIGHTS_AND_AUTO_ACT", "weights_and_auto_acts"},
              {"WEIGHTS_AND_FIXED_ACT", "weights_and_fixed_acts"},
              {"weights_only", "none"}}}};
  }
};

struct BrokenAliases final : Format {
  using Options = Nothing;
  explicit BrokenAliases(const Options&) {}
  std::vector<Setting> to_recipe(std::string_view) const override { return {}; }
  std::vector<Alias> aliases() const override { fail(Error::Category::plugin, "broken", "no words at all"); }
};

}  // namespace

void FakeQuantizerOptions::declare(Declare<FakeQuantizerOptions>& option) {
  option("bounds", &FakeQuantizerOptions::bounds, "of activations", {.min = 0, .choices = {"none", "auto"}, .or_number = true});
  option("weight_prec", &FakeQuantizerOptions::weight_prec, "bits", {.min = 1, .max = 8});
  option("act_prec", &FakeQuantizerOptions::act_prec, "bits", {.min = 1, .max = 8});
  option("weight_half_shift", &FakeQuantizerOptions::weight_half_shift, "half-integer codes");
  option("ema_coeff", &FakeQuantizerOptions::ema_coeff, "of running averages");
  option("broken", &FakeQuantizerOptions::broken, "what is wrong");
}

FakeQuantizer::FakeQuantizer(const Options& options) : options(options) {
  if (!options.broken.empty()) fail(Error::Category::usage, "fake", options.broken);
}

namespace {

struct Float final : Quantizer {
  using Options = Nothing;
  explicit Float(const Options&) {}
  Operand quantize(GraphBuilder&, const MatmulSite&, Role, Value operand, Phase) const override { return operand; }
};

}  // namespace

FakePlugins::FakePlugins() {
  registry_.add<Net>("net", "a network");
  registry_.add<Float>("none", "floats");
  registry_.add<FakeQuantizer>("weights_only", "weights");
  registry_.add<FakeQuantizer>("weights_and_auto_acts", "all", {.bounds = "auto"});
  registry_.add<FakeQuantizer>("weights_and_fixed_acts", "all", {.bounds = "6"});
  registry_.add<Course>("cosine", "half a wave");
  registry_.add<Constant>("constant", "one number");
  registry_.add<Descent>("sgd", "gradient descent");
  registry_.add<Images>("images", "pictures");
  registry_.add<NoAugment>("none", "nothing");
  registry_.add<Device>("cpu", "fake device");
  registry_.add<PlainDevice>("plain", "fake device that makes no use of its options");
  registry_.add<Alone>("single", "one process");
  registry_.add<Lines>("lines", "a foreign format");
  registry_.add<Original>(recipe::default_format, "the foreign format of recipes that name none");
  registry_.add<BrokenAliases>("broken", "a foreign format that fails");
}

std::vector<std::string> FakePlugins::names(std::string_view kind) const {
  std::vector<std::string> names;
  for (const auto& factory : registry_.factories()) {
    if (factory->kind == kind) names.push_back(factory->name);
  }
  return names;
}

const FactoryBase& FakePlugins::find(std::string_view kind, std::string_view name) const {
  for (const auto& factory : registry_.factories()) {
    if (factory->kind == kind && factory->name == name) return *factory;
  }
  fail(Error::Category::usage, "plugin", fmt::format("no {} is called '{}'", kind, name), {},
       fmt::format("there are: {}", fmt::join(names(kind), ", ")));
}

Folder::Folder() {
  static int count = 0;
  path_ = std::filesystem::temp_directory_path() / fmt::format("qfw_recipe_test_{}_{}", getpid(), count++);
  std::filesystem::create_directories(path_);
}

Folder::~Folder() { std::filesystem::remove_all(path_); }

std::filesystem::path Folder::write(const std::string& name, std::string_view text) const {
  const std::filesystem::path file = path_ / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

Recipe parse(std::string_view text, const std::vector<std::string>& overrides, const LoadOptions& options) {
  return Recipe::parse(text, "r.ini", overrides, std::make_shared<FakePlugins>(), options);
}

std::string error_of(std::string_view text, const std::vector<std::string>& overrides, const LoadOptions& options) {
  try {
    parse(text, overrides, options);
  } catch (const Error& error) {
    return error.category() == Error::Category::usage ? error.what() : std::string("another category: ") + error.what();
  }
  return {};
}

std::string value_of(const Recipe& recipe, std::string_view section, std::string_view key) {
  for (const Recipe::Row& row : recipe.table()) {
    if (row.section == section && row.key == key) return row.value;
  }
  return "(absent)";
}

}  // namespace qfw::testing
