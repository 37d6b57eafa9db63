#include "sample_run/sample_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <ctime>
#include <fstream>
#include <random>

#include "io/json.h"
#include "qfw/image.h"

namespace qfw::test {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

struct LayerShape {
  std::string path, op;
  std::vector<std::int64_t> input, weights, output;
  std::int64_t multiplications = 0;
  bool outer = false;  ///< the first and the last one
};

std::string base64(std::span<const std::byte> bytes) {
  constexpr char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 3; ++j)
      group = group << 8 | (i + j < bytes.size() ? std::to_integer<std::uint32_t>(bytes[i + j]) : 0);
    for (std::size_t j = 0; j < 4; ++j) text += i + j <= bytes.size() ? letters[group >> (18 - 6 * j) & 63] : '=';
  }
  return text;
}

json::array array_of(const std::vector<std::int64_t>& values) { return json::array(values.begin(), values.end()); }

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path, std::ios::binary) << text; }

class Writer {
 public:
  Writer(const SampleRun& run, fs::path folder)
      : run_(run), folder_(std::move(folder)), random_(run.seed), layers_(layer_shapes()) {}

  void write() {
    fs::create_directories(folder_ / "checkpoints");
    write_recipe();
    write_series();
    write_environment();
    if (run_.setup) write_json(folder_ / "setup.json", setup());
    if (run_.layers) write_layers();
    if (run_.evaluation) write_json(folder_ / "evaluation.json", evaluation());
    if (run_.status) write_json(folder_ / "status.json", status());
    if (is_ended()) write_json(folder_ / "report.json", report());
  }

 private:
  bool is_ended() const {
    return run_.state == "finished" || run_.state == "interrupted" || run_.state == "failed" || run_.state == "diverged";
  }
  double noise(double spread) { return std::normal_distribution<double>(0, spread)(random_); }
  double uniform() { return std::uniform_real_distribution<double>(0, 1)(random_); }
  double progress(double step) const { return std::min(step / static_cast<double>(run_.total_steps), 1.0); }
  int classes() const { return static_cast<int>(run_.class_names.size()); }

  std::vector<LayerShape> layer_shapes() const {
    std::vector<LayerShape> layers;
    const auto conv = [&](std::string path, std::int64_t size, std::int64_t kernel, std::int64_t from, std::int64_t to) {
      layers.push_back({std::move(path),
                        "conv2d",
                        {1, size, size, from},
                        {kernel, kernel, from, to},
                        {1, size, size, to},
                        size * size * kernel * kernel * from * to});
    };
    std::int64_t size = run_.image_size / 4, width = 32, from = 64;
    conv("init_conv", run_.image_size / 2, 7, 3, 64);
    for (int block = 0; block < run_.blocks; ++block) {
      const int stage = 1 + 4 * block / run_.blocks;
      const bool first = block == 0 || stage != 1 + 4 * (block - 1) / run_.blocks;
      if (first && block > 0) {
        size = std::max<std::int64_t>(size / 2, 2);
        width *= 2;
      }
      const std::string path = fmt::format("stage{}/block{}", stage, block);
      if (first) conv(path + "/conv_proj", size, 1, from, 4 * width);
      conv(path + "/conv_1", size, 1, from, width);
      conv(path + "/conv_2", size, 3, width, width);
      conv(path + "/conv_3", size, 1, width, 4 * width);
      from = 4 * width;
    }
    layers.push_back({"dense", "dense", {1, from}, {from, classes()}, {1, classes()}, from * classes()});
    layers.front().outer = layers.back().outer = true;
    return layers;
  }

  int bits_of(const LayerShape& layer, int bits) const { return layer.outer ? std::max(bits, 8) : bits; }

  void write_recipe() {
    write_text(folder_ / "recipe.ini",
               fmt::format("description = {}\n\n[model]\nname = resnet\n\n[quantizer]\nname = weights_and_auto_acts\n"
                           "weight_prec = {}\nact_prec = {}\n\n[train]\nbatch_size = 128\n",
                           run_.description, run_.weight_bits, run_.act_bits));
  }

  void write_environment() {
    write_json(folder_ / "environment.json", json::object{{"qfw", "0.1.0"},
                                                          {"written", "2025-01-01T00:00:00Z"},
                                                          {"host", "workstation"},
                                                          {"cpu", "AMD EPYC 9654 96-Core Processor"},
                                                          {"cores", 8},
                                                          {"backend", "cpu, 8 threads"},
                                                          {"threads", 8},
                                                          {"compiler", "12.2.0"}});
  }

  double loss_at(double step) const { return 0.9 * (1 - run_.accuracy) / 0.3 + 2.0 * std::exp(-9 * progress(step)); }
  double accuracy_at(double step) const {
    return run_.accuracy - (run_.accuracy - 1.0 / classes()) * std::exp(-8 * progress(step));
  }
  double rate_at(double step) const {
    const double warm = 0.05;
    return progress(step) < warm ? 0.2 * progress(step) / warm
                                 : 0.1 * (1 + std::cos(M_PI * (progress(step) - warm) / (1 - warm)));
  }

  void write_series() {
    std::ofstream file(folder_ / "series.csv");
    file << "step,seconds,images_per_second,loss,accuracy,learning_rate,eval_loss,eval_accuracy,eval_top5\n";
    double seconds = 0;
    for (std::int64_t step = run_.every_steps; step <= run_.steps; step += run_.every_steps) {
      const double x = static_cast<double>(step);
      const double speed = run_.images_per_second * (1 + (step < run_.bounds_at ? 0.25 : 0) + noise(0.01));
      seconds += 128.0 * static_cast<double>(run_.every_steps) / speed;
      file << fmt::format("{},{:.3f},{:.1f},{},{},{},,,\n", step, seconds, speed,
                          static_cast<float>(std::max(loss_at(x) * (1.1 + noise(0.12)), 0.01)),
                          std::clamp(accuracy_at(x) + 0.01 + noise(0.03), 0.0, 1.0), static_cast<float>(rate_at(x)));
      if (step % run_.steps_per_epoch < run_.every_steps && step >= run_.steps_per_epoch) {
        const double dip = step < run_.bounds_at + run_.steps_per_epoch && step >= run_.bounds_at ? 0.04 : 0;
        const double top1 = accuracy_at(x) - dip + noise(0.003);
        file << fmt::format("{},{:.3f},,,,,{},{},{}\n", step, seconds, loss_at(x) + dip + noise(0.004), top1,
                            1 - (1 - top1) * 0.12);
        evaluations_.push_back(step);
      }
    }
    seconds_ = seconds;
  }

  void write_layers() {
    std::ofstream file(folder_ / "layers.csv");
    file << "step,layer,operand,bound,bound_min,bound_max,clipped\n";
    for (const std::int64_t step : evaluations_) {
      for (std::size_t i = 0; i < layers_.size(); ++i) {
        const double depth = static_cast<double>(i) / static_cast<double>(layers_.size());
        const double bound = 1.5 + 2.5 * std::abs(std::sin(7 * depth + run_.seed)) + 0.8 * progress(static_cast<double>(step));
        const double clipped =
            0.02 * std::pow(std::abs(std::sin(11 * depth + run_.seed)), 4) * (0.4 + progress(static_cast<double>(step)));
        if (step < run_.bounds_at) {
          file << fmt::format("{},{},input,,,,\n", step, layers_[i].path);
        } else {
          file << fmt::format("{},{},input,{:.5g},{:.5g},{:.5g},{:.4g}\n", step, layers_[i].path, bound, 0.7 * bound,
                              1.4 * bound, clipped * (1 + noise(0.05)));
        }
        const double weight = 0.4 * std::exp(-2 * depth) + 0.05;
        file << fmt::format("{},{},weights,{:.5g},{:.5g},{:.5g},0\n", step, layers_[i].path, weight, 0.4 * weight,
                            2.2 * weight);
      }
    }
  }

  json::object setup() {
    json::object setup{{"description", run_.description},
                       {"recipe", "recipes/sample.ini"},
                       {"model", "resnet"},
                       {"dataset", "sample"},
                       {"quantizer", "weights_and_auto_acts"},
                       {"backend", "cpu, 8 threads, oneDNN 3.2.0 with int8, own kernels AVX3"},
                       {"threads", 8},
                       {"replicas", 1},
                       {"classes", classes()},
                       {"train_examples", run_.steps_per_epoch * 128},
                       {"validation_examples", 10000},
                       {"batch_size", 128},
                       {"steps_per_epoch", run_.steps_per_epoch},
                       {"total_steps", run_.total_steps},
                       {"parameters", 213706}};
    setup["class_names"] = json::array(run_.class_names.begin(), run_.class_names.end());
    std::int64_t all = 0;
    setup["layers"].emplace_array();
    for (const LayerShape& layer : layers_) {
      all += layer.multiplications;

      const bool integer = layer.path != layers_[layers_.size() / 2].path;
      setup["layers"].as_array().push_back(json::object{
          {"path", layer.path},
          {"op", layer.op},
          {"input", array_of(layer.input)},
          {"weights", array_of(layer.weights)},
          {"output", array_of(layer.output)},
          {"multiplications", layer.multiplications},
          {"weight_bits", bits_of(layer, run_.weight_bits)},
          {"act_bits", bits_of(layer, run_.act_bits)},
          {"integer", integer},
          {"reason", integer ? json::value(nullptr) : json::value("the scales of its activations differ by channel")}});
    }
    setup["multiplications"] = all;
    const auto count = static_cast<std::int64_t>(layers_.size());
    setup["phases"] = json::array{json::object{{"first_step", 0},
                                               {"phase", "weights, collecting"},
                                               {"integer_layers", 0},
                                               {"peak_images_per_second", run_.peak * 0.7}},
                                  json::object{{"first_step", run_.bounds_at},
                                               {"phase", "weights, activations, updating bounds"},
                                               {"integer_layers", count},
                                               {"peak_images_per_second", run_.peak}},
                                  json::object{{"first_step", run_.bounds_at + 1},
                                               {"phase", "weights, activations"},
                                               {"integer_layers", count},
                                               {"peak_images_per_second", run_.peak}}};
    setup["peak"] = json::object{{"f32", 1.1e11}, {"bf16", nullptr}, {"integer", 4.2e11}};
    setup["settings"] = settings();
    setup["notes"] =
        json::array{"[augment] shift = 0 and mean = 0.2860: pixels are only scaled", "eval.examples: all 10000 are taken"};
    return setup;
  }

  json::array settings() const {
    json::array all;
    const auto add = [&](std::string section, std::string key, std::string value, bool is_default, std::string doc) {
      all.push_back(json::object{{"section", section},
                                 {"key", key},
                                 {"value", value},
                                 {"origin", is_default ? "default" : "sample.ini"},
                                 {"default", is_default},
                                 {"doc", doc}});
    };
    add("model", "name", "resnet", false, "which model");
    add("model", "stages", "2,2", false, "blocks in each stage");
    add("model", "stem", "imagenet", true, "the layers before the first stage");
    add("quantizer", "name", "weights_and_auto_acts", false, "which quantizer");
    add("quantizer", "weight_prec", std::to_string(run_.weight_bits), false, "bits of the weights");
    add("quantizer", "act_prec", std::to_string(run_.act_bits), false, "bits of the activations");
    add("quantizer", "activation_bound_start_step", std::to_string(run_.bounds_at), false,
        "step from which activations are quantized");
    add("schedule", "base_learning_rate", "0.2", false, "the highest rate, for a batch of 256");
    add("train", "batch_size", "128", false, "images in a step, all replicas together");
    add("train", "label_smoothing", "0", true, "share of the label that is spread over all classes");
    add("eval", "batch_size", "250", true, "images that are evaluated at once");
    return all;
  }

  json::object evaluation() {
    const auto n = static_cast<std::size_t>(classes());
    std::vector<std::vector<std::int64_t>> counts(n, std::vector<std::int64_t>(n, 0));
    const std::int64_t each = std::max<std::int64_t>(10000 / classes(), 1);
    json::array recall, rows, confusions, worst;
    std::vector<std::tuple<std::int64_t, std::size_t, std::size_t>> mistakes;
    for (std::size_t label = 0; label < n; ++label) {
      for (std::int64_t i = 0; i < each; ++i) {
        const bool right = uniform() < run_.accuracy + 0.05 * std::sin(static_cast<double>(label));
        const auto neighbour = static_cast<std::size_t>(std::abs(std::lround(static_cast<double>(label) + noise(1.5)))) % n;
        ++counts[label][right ? label : neighbour];
      }
      recall.push_back(static_cast<double>(counts[label][label]) / static_cast<double>(each));
      rows.push_back(array_of(counts[label]));
      for (std::size_t other = 0; other < n; ++other) {
        if (other != label && counts[label][other] > 0) mistakes.emplace_back(counts[label][other], label, other);
      }
    }
    std::sort(mistakes.rbegin(), mistakes.rend());
    mistakes.resize(std::min<std::size_t>(mistakes.size(), 50));
    for (const auto& [count, label, predicted] : mistakes) {
      confusions.push_back(json::object{{"label", label}, {"predicted", predicted}, {"count", count}});
    }
    for (int i = 0; i < 24; ++i) {
      const auto& [count, label, predicted] = mistakes[static_cast<std::size_t>(i) % mistakes.size()];
      worst.push_back(json::object{{"index", 97 * i + 3},
                                   {"where", "t10k-images-idx3-ubyte.gz"},
                                   {"label", label},
                                   {"predicted", predicted},
                                   {"probability", 0.999 - 0.004 * i},
                                   {"label_probability", 0.0004 * (i + 1)},
                                   {"loss", 7.8 - 0.1 * i},
                                   {"width", run_.image_size},
                                   {"height", run_.image_size},
                                   {"image", picture(i)}});
    }
    json::object result{{"step", evaluations_.empty() ? run_.steps : evaluations_.back()},
                        {"examples", each * classes()},
                        {"top1", run_.accuracy},
                        {"top5", 1 - (1 - run_.accuracy) * 0.12},
                        {"loss", loss_at(static_cast<double>(run_.steps))},
                        {"classes", classes()}};
    result["class_names"] = json::array(run_.class_names.begin(), run_.class_names.end());
    result["confusion"] = std::move(rows);
    result["confusions"] = std::move(confusions);
    result["recall"] = std::move(recall);
    result["worst"] = std::move(worst);
    return result;
  }

  /// A blob on a ground, another for each.
  std::string picture(int number) {
    const int size = run_.image_size;
    std::vector<std::uint8_t> pixels;
    for (int y = 0; y < size; ++y) {
      for (int x = 0; x < size; ++x) {
        const double u = (x + 0.5) / size - 0.5, v = (y + 0.5) / size - 0.5;
        const double edge = 0.3 + 0.08 * std::sin((3 + number % 5) * std::atan2(v, u) + number);
        const bool inside = std::hypot(u, v) < edge;
        for (int c = 0; c < 3; ++c) {
          const double base = inside ? 90 + 60 * std::sin(number * 1.7 + c) + 60 * v : 225 - 40 * v;
          pixels.push_back(static_cast<std::uint8_t>(std::clamp(base + noise(6), 0.0, 255.0)));
        }
      }
    }
    return "data:image/png;base64," + base64(image::encode_png({.height = size, .width = size, .channels = 3, .data = pixels}));
  }

  json::object status() const {
    const double now = static_cast<double>(std::time(nullptr)), done = static_cast<double>(run_.steps);
    const bool ended = is_ended(), evaluating = run_.state == "evaluating";
    const std::int64_t next = run_.steps < run_.bounds_at ? run_.bounds_at : 0;
    return {{"pid", getpid()},
            {"host", "workstation"},
            {"started", now - seconds_ - 30},
            {"written", now},
            {"state", run_.state},
            {"error", run_.error.empty() ? json::value(nullptr) : json::value(run_.error)},
            {"step", run_.steps},
            {"total_steps", run_.total_steps},
            {"epoch", done / static_cast<double>(run_.steps_per_epoch)},
            {"epochs", run_.total_steps / run_.steps_per_epoch},
            {"phase", run_.steps < run_.bounds_at ? "weights, collecting" : "weights, activations"},
            {"phase_first_step", 0},
            {"next_phase_step", next > 0 ? json::value(next) : json::value(nullptr)},
            {"evaluated", evaluating ? json::value(6250) : json::value(nullptr)},
            {"to_evaluate", evaluating ? json::value(10000) : json::value(nullptr)},
            {"images_per_second", run_.images_per_second},
            {"peak_share", run_.images_per_second / run_.peak},
            {"seconds_left",
             ended ? json::value(0)
                   : json::value(static_cast<double>(run_.total_steps - run_.steps) * 128 / run_.images_per_second)},
            {"loss", loss_at(done)},
            {"accuracy", accuracy_at(done)},
            {"learning_rate", rate_at(done)},
            {"eval_accuracy", run_.accuracy},
            {"best_accuracy", run_.accuracy + 0.002},
            {"best_step", run_.steps - run_.steps_per_epoch},
            {"cores", 7.6},
            {"last_checkpoint_step", run_.steps / run_.steps_per_epoch * run_.steps_per_epoch}};
  }

  json::object report() const {
    json::object report{{"description", run_.description},
                        {"status", run_.state},
                        {"steps", run_.steps},
                        {"total_steps", run_.total_steps},
                        {"eval_accuracy", run_.accuracy},
                        {"eval_loss", loss_at(static_cast<double>(run_.steps))},
                        {"best_eval_accuracy", run_.accuracy + 0.002},
                        {"best_eval_step", run_.steps - run_.steps_per_epoch},
                        {"images_per_second", run_.images_per_second},
                        {"peak_share", run_.images_per_second / run_.peak},
                        {"corrupt_examples", 0},
                        {"backend", "cpu, 8 threads"}};
    if (!run_.error.empty()) report["error"] = run_.error;
    report["notes"] = json::array{"quantizer.statistics = until_frozen: observers end after step 468"};
    return report;
  }

  const SampleRun& run_;
  fs::path folder_;
  std::mt19937 random_;
  std::vector<LayerShape> layers_;
  std::vector<std::int64_t> evaluations_;
  double seconds_ = 0;
};

}  // namespace

SampleRun SampleRun::resnet50() {
  SampleRun run{.description = "ResNet50 on ImageNet, 4-bit weights and activations",
                .blocks = 16,
                .total_steps = 1'250'000,
                .steps_per_epoch = 10'009,
                .steps = 1'250'000,
                .every_steps = 50,
                .bounds_at = 100'090,
                .accuracy = 0.764,
                .images_per_second = 412,
                .peak = 980,
                .image_size = 96,
                .seed = 2};
  run.class_names.clear();
  for (int i = 0; i < 100; ++i) run.class_names.push_back(fmt::format("n{:08}, kind {}", 1440764 + 7 * i, i));
  return run;
}

void write_sample_run(const SampleRun& run, const fs::path& folder) { Writer(run, folder).write(); }

}  // namespace qfw::test
