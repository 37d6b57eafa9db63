#include <fmt/format.h>
#include <sys/stat.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <mutex>

#include "idx.h"
#include "qfw/dataset.h"
#include "qfw/error.h"
#include "qfw/plugin.h"
#include "qfw/random.h"

namespace qfw::fashion_mnist {

/// Xiao, Rasul, Vollgraf, arXiv 1708.07747. A split is read when it is first asked for and stays in memory.
class FashionMnist final : public Dataset {
 public:
  struct Options {
    std::string data_dir = "/usr/share/datasets/fashion-mnist";
    static void declare(Declare<Options>& option) {
      option("data_dir", &Options::data_dir,
             "folder of {train,t10k}-{images-idx3,labels-idx1}-ubyte.gz; the default is that of Debian's package "
             "dataset-fashion-mnist");
    }
  };

  explicit FashionMnist(const Options& options) : folder_(options.data_dir) {
    const char* home = std::getenv("HOME");
    if (home && (options.data_dir == "~" || options.data_dir.starts_with("~/"))) {
      folder_ = home + options.data_dir.substr(1);
    }
  }

  std::int64_t classes() const override { return fashion_mnist::classes; }
  Shape shape() const override { return {height, width, 1}; }
  std::int64_t size(std::string_view split) const override { return images(split).count; }

  /// The distributed files are told apart by their sizes; nothing is inflated for it.
  Identity identity(std::string_view name) const override {
    std::string content, storage;
    for (const auto& file : files(split_of(name))) {
      struct stat status {};
      if (stat(file.c_str(), &status) != 0) {
        fail(Error::Category::data, "fashion_mnist", fmt::format("cannot examine the file: {}", std::strerror(errno)),
             file.string(), "set dataset.data_dir to the folder of the four *-ubyte.gz files");
      }
      content += fmt::format("{} {}\n", file.filename().string(), status.st_size);
      storage += fmt::format("{}.{:09} {}.{:09}\n", status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                             status.st_ctim.tv_nsec);
    }
    return {.content = hash_of(content), .storage = hash_of(content + storage)};
  }

  std::string class_name(std::int64_t label) const override {
    constexpr std::array<const char*, fashion_mnist::classes> names{
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
    return names.at(static_cast<std::size_t>(label));
  }

  Example get(std::string_view split, std::int64_t index) const override {
    const Images& all = images(split);
    if (index < 0 || index >= all.count) {
      fail(Error::Category::data, "fashion_mnist", fmt::format("no image {}: split {} has {}", index, split, all.count),
           folder_.string());
    }
    constexpr std::int64_t size = height * width;
    return {.encoding = Example::Encoding::pixels,
            .shape = shape(),
            .bytes = std::span(all.pixels).subspan(static_cast<std::size_t>(index * size), size),
            .label = all.labels[static_cast<std::size_t>(index)]};
  }

 private:
  struct Split {
    const char* name;
    const char* prefix;
    std::mutex mutex{};
    std::atomic<bool> ready{false};
    Images images{};
  };

  Split& split_of(std::string_view name) const {
    for (Split& split : splits_) {
      if (name == split.name) return split;
    }
    fail(Error::Category::usage, "fashion_mnist", fmt::format("no split \"{}\"", name), {},
         "the splits are train and validation");
  }

  /// Images and labels.
  std::array<std::filesystem::path, 2> files(const Split& split) const {
    const std::string prefix = split.prefix;
    return {folder_ / (prefix + "-images-idx3-ubyte.gz"), folder_ / (prefix + "-labels-idx1-ubyte.gz")};
  }

  const Images& images(std::string_view name) const {
    Split& split = split_of(name);
    if (!split.ready.load(std::memory_order_acquire)) {
      const std::lock_guard lock(split.mutex);
      if (!split.ready.load(std::memory_order_relaxed)) {
        const auto [images, labels] = files(split);
        split.images = read_images(images, labels);
        split.ready.store(true, std::memory_order_release);
      }
    }
    return split.images;
  }

  std::filesystem::path folder_;
  mutable Split splits_[2]{{"train", "train"}, {"validation", "t10k"}};
};

}  // namespace qfw::fashion_mnist

QFW_PLUGIN("dataset:fashion_mnist", .name = "fashion_mnist", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "Fashion-MNIST from gzip IDX files")
(qfw::Registry& registry) {
  registry.add<qfw::fashion_mnist::FashionMnist>(
      "fashion_mnist", "70,000 grey 28x28 images of ten kinds of clothes; splits train (60,000) and validation (10,000)");
}
