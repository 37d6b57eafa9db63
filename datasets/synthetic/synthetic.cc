#include <fmt/format.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <numbers>
#include <vector>

#include "qfw/dataset.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "qfw/options.h"
#include "qfw/plugin.h"
#include "qfw/random.h"

namespace qfw::synthetic {

/// Pictures made from numbers: a class is a wave of its own direction, length and colour, an example that wave at a random
/// place under noise. So they can be learned, and they compress roughly as photographs do.
class Synthetic final : public Dataset {
 public:
  struct Options {
    std::int64_t height = 256, width = 256, channels = 3, classes = 1000, train_examples = 10000, validation_examples = 1000;
    std::uint32_t seed = 0;
    std::string encoding = "pixels";
    int quality = 90;
    std::int64_t distinct = 0;

    static void declare(Declare<Options>& option) {
      option("height", &Options::height, "pixels: height of every picture", {.min = 1, .max = 16384});
      option("width", &Options::width, "pixels: width of every picture", {.min = 1, .max = 16384});
      option("channels", &Options::channels, "3: colours, 1: grey", {.min = 1, .max = 3});
      option("classes", &Options::classes, "number of classes, all equally likely", {.min = 1, .max = 1 << 24});
      option("train_examples", &Options::train_examples, "number of pictures in the split train", {.min = 1});
      option("validation_examples", &Options::validation_examples, "number of pictures in the split validation", {.min = 1});
      option("seed", &Options::seed, "another seed makes other waves and other examples");
      option("encoding", &Options::encoding, "how pictures are stored: as pixels, or encoded, so that reading decodes them",
             {.choices = {"pixels", "jpeg", "png"}});
      option("quality", &Options::quality, "encoding = jpeg: quality, in percent", {.min = 1, .max = 100});
      option("distinct", &Options::distinct,
             "make only so many pictures of a split and repeat them, kept in memory, so that a benchmark does not measure how "
             "they are made; 0: all differ",
             {.min = 0, .max = 1 << 20});
    }
  };
  explicit Synthetic(const Options& options);

  std::int64_t classes() const override { return options_.classes; }
  Shape shape() const override {
    return {options_.height, options_.width, options_.encoding == "pixels" ? options_.channels : 3};
  }
  std::int64_t size(std::string_view split) const override { return find(split).size; }
  Example get(std::string_view split, std::int64_t index) const override;
  Identity identity(std::string_view split) const override;

 private:
  using Kept = std::shared_ptr<const Example>;
  struct Split {
    std::int64_t size = 0;
    std::uint64_t stream = 0;
    mutable std::vector<std::atomic<Kept>> kept{};
  };
  const Split& find(std::string_view name) const;
  Example make(const Split& split, std::int64_t number) const;
  void draw(std::uint8_t* to, std::int64_t label, RandomStream& random) const;

  Options options_;
  Split train_, validation_;
};

Synthetic::Synthetic(const Options& options) : options_(options) {
  if (options.channels == 2) fail(Error::Category::usage, "synthetic", "dataset.channels is 2", {}, "it must be 1 or 3");
  train_.size = options.train_examples;
  train_.stream = hash_of("train");
  validation_.size = options.validation_examples;
  validation_.stream = hash_of("validation");
  train_.kept = std::vector<std::atomic<Kept>>(static_cast<std::size_t>(options.distinct));
  validation_.kept = std::vector<std::atomic<Kept>>(static_cast<std::size_t>(options.distinct));
}

const Synthetic::Split& Synthetic::find(std::string_view name) const {
  if (name == "train") return train_;
  if (name == "validation") return validation_;
  fail(Error::Category::usage, "synthetic", fmt::format("there is no split {}", name), {},
       "the splits are train and validation");
}

/// The options say all; there is no storage that could change.
Dataset::Identity Synthetic::identity(std::string_view split) const {
  const Options& o = options_;
  const std::string text =
      fmt::format("{} of {}, {} x {} x {}, {} classes, seed {}, {} {}, {} distinct", find(split).size, split, o.height, o.width,
                  o.channels, o.classes, o.seed, o.encoding, o.quality, o.distinct);
  return {.content = hash_of(text), .storage = hash_of(text)};
}

Example Synthetic::get(std::string_view name, std::int64_t index) const {
  const Split& split = find(name);
  if (index < 0 || index >= split.size) {
    fail(Error::Category::data, "synthetic", fmt::format("no example {}: split {} has {}", index, name, split.size));
  }
  if (split.kept.empty()) return make(split, index);
  std::atomic<Kept>& slot = split.kept[static_cast<std::size_t>(index) % split.kept.size()];
  Kept kept = slot.load();
  if (!kept) {  // two threads may both make it: the same one
    kept = std::make_shared<const Example>(make(split, index % static_cast<std::int64_t>(split.kept.size())));
    slot.store(kept);
  }
  return *kept;
}

Example Synthetic::make(const Split& split, std::int64_t number) const {
  RandomStream random(options_.seed, split.stream, static_cast<std::uint64_t>(number));
  Example example;
  example.label = static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(options_.classes)));
  example.shape = {options_.height, options_.width, options_.channels};
  const auto pixels = std::make_shared<std::vector<std::uint8_t>>(static_cast<std::size_t>(example.shape.count()));
  draw(pixels->data(), example.label, random);
  example.bytes = std::as_bytes(std::span(*pixels));
  example.owner = pixels;
  if (options_.encoding == "pixels") return example;
  const auto encoding = options_.encoding == "png" ? Example::Encoding::png : Example::Encoding::jpeg;
  const auto encoded = std::make_shared<const std::vector<std::byte>>(image::encode(example, encoding, options_.quality));
  example.encoding = encoding;
  example.shape = {};
  example.bytes = *encoded;
  example.owner = encoded;
  return example;
}

void Synthetic::draw(std::uint8_t* to, std::int64_t label, RandomStream& random) const {
  RandomStream of_class(options_.seed, hash_of("class"), static_cast<std::uint64_t>(label));
  const double direction = of_class.uniform() * std::numbers::pi, waves = 2 + 6 * of_class.uniform(),
               phase = random.uniform() * 2 * std::numbers::pi,
               side = static_cast<double>(std::max(options_.height, options_.width));
  const double step = 2 * std::numbers::pi * waves / side, by_x = step * std::cos(direction), by_y = step * std::sin(direction);
  std::array<float, 3> amplitude{};
  for (float& value : amplitude) value = static_cast<float>(20 + 60 * of_class.uniform());
  // cos(a + b) = cos a cos b - sin a sin b: a pair of numbers per row and per column is enough.
  const auto width = static_cast<std::size_t>(options_.width), channels = static_cast<std::size_t>(options_.channels);
  std::vector<float> cosines(width), sines(width);
  for (std::size_t x = 0; x < width; ++x) {
    cosines[x] = static_cast<float>(std::cos(by_x * static_cast<double>(x)));
    sines[x] = static_cast<float>(std::sin(by_x * static_cast<double>(x)));
  }
  std::uint64_t noise = static_cast<std::uint64_t>(random.bits()) << 32 | random.bits();
  for (std::int64_t y = 0; y < options_.height; ++y) {
    const double angle = by_y * static_cast<double>(y) + phase;
    const auto cosine = static_cast<float>(std::cos(angle)), sine = static_cast<float>(std::sin(angle));
    for (std::size_t x = 0; x < width; ++x) {
      const float wave = cosines[x] * cosine - sines[x] * sine;
      noise = noise * 6364136223846793005u + 1442695040888963407u;  // Knuth's MMIX generator; the upper bits are good
      for (std::size_t c = 0; c < channels; ++c) {
        const auto level = static_cast<int>(128 + amplitude[c] * wave) + static_cast<int>(noise >> (40 + 8 * c) & 31) - 16;
        *to++ = static_cast<std::uint8_t>(level);  // 128 +- 80 +- 16 fits
      }
    }
  }
}

}  // namespace qfw::synthetic

QFW_PLUGIN("dataset:synthetic", .name = "synthetic", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "pictures made from numbers, for benchmarks")
(qfw::Registry& registry) {
  registry.add<qfw::synthetic::Synthetic>("synthetic", "waves of a direction and colour per class, under noise; learnable");
}
