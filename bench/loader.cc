// Speed of the ImageNet input on one folder of JPEG files: images per second of processor time, medians over rounds.
// bench_loader FOLDER [--rounds N] [--workers N] [--serve]
// A folder that does not exist is made, of crops of the photographs in tests/golden, 500 x 375 and 375 x 500. With --serve, one
// round for every line on standard input, as bench/loader_peers.py wants it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <iterator>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "crop.h"
#include "data/pipeline.h"
#include "plugin/catalog.h"
#include "qfw/augment.h"
#include "qfw/dataset.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "support/golden.h"

namespace {

using namespace qfw;
namespace fs = std::filesystem;

constexpr int made_pictures = 128, made_quality = 90;

/// Files of a folder, in memory: the disk is not what is measured, on no side.
class Files final : public Dataset {
 public:
  explicit Files(const fs::path& folder) {
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.path().extension() == ".jpg" || entry.path().extension() == ".JPEG") paths.push_back(entry.path());
    }
    std::ranges::sort(paths);
    for (const fs::path& path : paths) {
      std::ifstream stream(path, std::ios::binary);
      files_.emplace_back(std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>());
      bytes_ += files_.back().size();
    }
    if (files_.empty()) fail(Error::Category::usage, "bench", "no .jpg or .JPEG file", folder.string());
  }

  std::int64_t classes() const override { return 1; }
  Shape shape() const override { return {}; }
  std::int64_t size(std::string_view) const override { return static_cast<std::int64_t>(files_.size()); }
  Example get(std::string_view, std::int64_t index) const override {
    const std::string& file = files_[static_cast<std::size_t>(index)];
    return {.encoding = Example::Encoding::jpeg, .shape = {}, .bytes = std::as_bytes(std::span(file))};
  }
  double mean_bytes() const { return static_cast<double>(bytes_) / static_cast<double>(files_.size()); }

 private:
  std::vector<std::string> files_;
  std::size_t bytes_ = 0;
};

/// Crops of the larger photographs, scaled as a camera's picture is for the web: mostly down, never up by more than a half.
void make_pictures(const fs::path& folder) {
  const auto golden = golden::Group::open("preprocess.h5");
  std::vector<std::vector<std::uint8_t>> sources;
  image::Decoder decoder;
  image::Resizer resizer;
  const auto example_of = [](const std::vector<std::uint8_t>& bytes) {
    return Example{.encoding = Example::Encoding::jpeg, .shape = {}, .bytes = std::as_bytes(std::span(bytes))};
  };
  for (const std::string& name : golden.children()) {
    if (!name.starts_with("image_")) continue;
    std::vector<std::uint8_t> bytes;
    for (const std::int64_t byte : golden.group(name).integers("jpeg")) bytes.push_back(static_cast<std::uint8_t>(byte));
    const image::Size size = decoder.size(example_of(bytes));
    if (std::min(size.height, size.width) >= 300) sources.push_back(std::move(bytes));
  }
  if (sources.empty()) fail(Error::Category::usage, "bench", "no photograph of 300 pixels or more among the golden data");
  fs::create_directories(folder);
  for (int i = 0; i < made_pictures; ++i) {
    const Example source = example_of(sources[static_cast<std::size_t>(i) % sources.size()]);
    const image::Size from = decoder.size(source), to = i % 4 == 3 ? image::Size{500, 375} : image::Size{375, 500};
    RandomStream random(7, static_cast<std::uint64_t>(i));
    const double largest = std::min(static_cast<double>(from.height) / to.height, static_cast<double>(from.width) / to.width);
    const double scale = largest * (0.8 + 0.2 * random.uniform());
    image::Window window{0, 0, static_cast<int>(to.height * scale), static_cast<int>(to.width * scale)};
    window.y = static_cast<int>(random.below(static_cast<std::uint64_t>(from.height - window.height + 1)));
    window.x = static_cast<int>(random.below(static_cast<std::uint64_t>(from.width - window.width + 1)));
    std::vector<float> values(static_cast<std::size_t>(to.height * to.width * 3));
    resizer.bicubic(decoder.decode(source, window), to, random.below(2) == 1, {}, values);
    std::vector<std::uint8_t> levels;
    for (const float value : values) levels.push_back(static_cast<std::uint8_t>(std::clamp(value + 0.5f, 0.0f, 255.0f)));
    const auto bytes = image::encode_jpeg({to.height, to.width, 3, levels}, made_quality);
    std::ofstream(folder / fmt::format("{:03}.jpg", i), std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
}

/// By the processor time of all threads, which other programs disturb less than the clock on the wall.
double rate_of(std::int64_t images, const std::function<void()>& work) {
  const auto now = [] { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; };
  const double begin = now();
  work();
  return static_cast<double>(images) / (now() - begin);
}

/// Until the pipeline has prefetched all it may: a tenth of a second without work.
void wait_until_idle() {
  for (std::clock_t before = -1000000, now = std::clock(); now - before > CLOCKS_PER_SEC / 1000; now = std::clock()) {
    before = now;
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

class Bench {
 public:
  Bench(const Files& files, const Augment& augment, int workers)
      : files_(files), augment_(augment), settings_(settings(files, workers)), pipeline_(files, augment, settings_) {}

  /// Every stage over all files, each round with windows of its own.
  std::vector<std::pair<std::string, double>> round() {
    ++epoch_;
    const std::int64_t count = files_.size("");
    const image::Normalize normalize{{123.675f, 116.28f, 103.53f}, {1 / 58.395f, 1 / 57.12f, 1 / 57.375f}};
    const auto each = [&](const std::function<void(const Example&, RandomStream&)>& work) {
      return rate_of(count, [&] {
        for (std::int64_t i = 0; i < count; ++i) {
          RandomStream random(0, epoch_, static_cast<std::uint64_t>(i));
          work(files_.get("", i), random);
        }
      });
    };
    std::vector<std::pair<std::string, double>> rates;
    rates.emplace_back("decode", each([&](const Example& example, RandomStream&) { decoder_.decode(example); }));
    const auto window = [&](const Example& example, RandomStream& random) {
      return imagenet::random_crop(decoder_.size(example), {}, random);
    };
    rates.emplace_back("decode_window", each([&](const Example& example, RandomStream& random) {
                         decoder_.decode(example, window(example, random));
                       }));
    rates.emplace_back(
        "resize", each([&](const Example& example, RandomStream& random) {
          const image::Window w = window(example, random);
          const std::size_t bytes = static_cast<std::size_t>(w.height) * static_cast<std::size_t>(w.width) * 3;
          if (pixels_.size() < bytes) pixels_.resize(bytes, 77);
          resizer_.bicubic({w.height, w.width, 3, std::span(pixels_).first(bytes)}, {224, 224}, false, normalize, image_);
        }));
    rates.emplace_back(
        "augment", each([&](const Example& example, RandomStream& random) { augment_.apply(example, random, true, image_); }));
    const std::int64_t batch = settings_.batch, steps = count / batch;
    wait_until_idle();  // so that as many batches are decoded as are taken
    rates.emplace_back("pipeline", rate_of(steps * batch, [&] {
                         for (std::int64_t step = 0; step < steps; ++step) pipeline_.next();
                         wait_until_idle();
                       }));
    return rates;
  }

 private:
  static PipelineSettings settings(const Files& files, int workers) {
    PipelineSettings settings;
    settings.batch = std::min<std::int64_t>(32, files.size(""));
    settings.workers = workers;
    return settings;
  }

  const Files& files_;
  const Augment& augment_;
  PipelineSettings settings_;
  Pipeline pipeline_;
  std::uint64_t epoch_ = 0;
  image::Decoder decoder_;
  image::Resizer resizer_;
  std::vector<std::uint8_t> pixels_;
  std::vector<float> image_ = std::vector<float>(std::size_t{224} * 224 * 3);
};

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void serve(Bench& bench) {
  fmt::print("ready\n");
  std::fflush(stdout);
  for (std::string line; std::getline(std::cin, line);) {
    std::string separator = "{";
    for (const auto& [stage, rate] : bench.round()) {
      fmt::print("{}\"{}\": {:.1f}", separator, stage, rate);
      separator = ", ";
    }
    fmt::print("}}\n");
    std::fflush(stdout);
  }
}

int run(const std::vector<std::string>& arguments) {
  fs::path folder;
  int rounds = 9, workers = 1;
  bool serving = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--rounds" && i + 1 < arguments.size()) {
      rounds = std::stoi(arguments[++i]);
    } else if (arguments[i] == "--workers" && i + 1 < arguments.size()) {
      workers = std::stoi(arguments[++i]);
    } else if (arguments[i] == "--serve") {
      serving = true;
    } else {
      folder = arguments[i];
    }
  }
  if (folder.empty() || rounds < 1 || workers < 1) {
    fmt::print(stderr, "bench_loader FOLDER [--rounds N] [--workers N] [--serve]\n");
    return 2;
  }
  if (!fs::exists(folder)) make_pictures(folder);
  const Files files(folder);
  const Catalog catalog(std::array{fs::read_symlink("/proc/self/exe").parent_path()});
  const auto augment = catalog.get<Augment>("imagenet_train").make({});
  Bench bench(files, *augment, workers);
  bench.round();
  if (serving) {
    serve(bench);
    return 0;
  }
  std::vector<std::string> stages;
  std::map<std::string, std::vector<double>> rates;
  for (int i = 0; i < rounds; ++i) {
    stages.clear();
    for (const auto& [stage, rate] : bench.round()) {
      stages.push_back(stage);
      rates[stage].push_back(rate);
    }
  }
  fmt::print("{} files of {:.0f} KB on average\n", files.size(""), files.mean_bytes() / 1000);
  for (const std::string& stage : stages) {
    const double rate = median(rates[stage]);
    const bool many = stage == "pipeline" && workers > 1;
    fmt::print("{:14} {:8.0f} images/s {:7.3f} ms{}\n", stage, rate, 1000 / rate,
               many ? fmt::format("  {} workers", workers) : "");
  }
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run({arguments + 1, arguments + count});
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
