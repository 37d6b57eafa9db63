#pragma once

#include "qfw/dataset_writer.h"
#include "qfw/options.h"

namespace qfw::tfds {

/// Writes a folder that TensorFlow Datasets reads (builder_from_directory), and imagenet_tfds. A part is a shard.
class TfdsWriter final : public DatasetWriter {
 public:
  struct Options {
    std::string dataset = "imagenet2012", version = "1.0.0", encoding = "jpeg";
    std::int64_t shard_examples = 1024;
    int quality = 95;

    static void declare(Declare<Options>& option) {
      option("dataset", &Options::dataset, "name of the data set, with which the name of every file begins");
      option("version", &Options::version, "version of the data set");
      option("shard_examples", &Options::shard_examples, "examples in a shard, a file of its own", {.min = 1});
      option("encoding", &Options::encoding, "form of pictures that come as pixels; others stay as they are",
             {.choices = {"jpeg", "png"}});
      option("quality", &Options::quality, "quality of the JPEG that is written, in percent", {.min = 1, .max = 100});
    }
  };
  explicit TfdsWriter(const Options& options);

  void begin(const Target& target) override;
  std::int64_t parts(std::string_view split) const override;
  std::pair<std::int64_t, std::int64_t> range(std::string_view split, std::int64_t part) const override;
  bool has(std::string_view split, std::int64_t part) const override;
  void write(std::string_view split, std::int64_t part, const Source& source) override;
  void finish() override;

 private:
  const Split& find(std::string_view split) const;
  std::filesystem::path shard(std::string_view split, std::int64_t part) const;

  Options options_;
  Target target_;
};

}  // namespace qfw::tfds
