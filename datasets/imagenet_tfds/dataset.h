#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>

#include "folder.h"
#include "qfw/dataset.h"
#include "qfw/options.h"
#include "shard.h"

namespace qfw::tfds {

/// Any image classification data set in the layout of TensorFlow Datasets. Examples are numbered in the order of the shards.
class Tfds final : public Dataset {
 public:
  struct Options {
    std::string data_dir = "~/tensorflow_datasets", dataset = "imagenet2012", config, version, image, label, index_dir;
    bool verify_crc = true;

    static void declare(Declare<Options>& option) {
      option("data_dir", &Options::data_dir,
             "a folder with dataset_info.json, or one above: VERSION, CONFIG/VERSION or DATASET/...");
      option("dataset", &Options::dataset, "the data set's name below data_dir");
      option("config", &Options::config, "its configuration below that; none or empty: the only one, if there is one");
      option("version", &Options::version, "its version below that; none or empty: the newest there");
      option("image", &Options::image,
             "the feature with the picture; none or empty: the only one of its kind, or of several `image`");
      option("label", &Options::label,
             "the feature with the class; none or empty: the only class label, or of several `label`");
      option("index_dir", &Options::index_dir,
             "where offsets of records are kept; none or empty: qfw/index below the user's cache folder");
      option("verify_crc", &Options::verify_crc, "compare each record that is read with its checksum");
    }
  };
  explicit Tfds(const Options& options);

  std::int64_t classes() const override { return static_cast<std::int64_t>(info_.class_names.size()); }
  Shape shape() const override { return {}; }
  std::vector<std::string> splits() const override;
  std::int64_t size(std::string_view split) const override;
  Example get(std::string_view split, std::int64_t index) const override;
  std::string class_name(std::int64_t label) const override { return info_.class_names.at(static_cast<std::size_t>(label)); }
  std::string place(std::string_view split, std::int64_t index) const override;
  Identity identity(std::string_view split) const override;
  std::vector<std::string> notes(std::string_view split) const override;

 private:
  /// Opened, and its records found, when it is first asked for one.
  struct OpenShard {
    std::mutex mutex{};
    std::atomic<bool> ready = false;
    std::optional<Shard> shard{};
    std::string fault{};  ///< why it could not be opened
  };
  struct Split {
    const SplitInfo* info = nullptr;
    std::int64_t examples = 0;
    std::vector<std::int64_t> first;  ///< of each shard
    std::deque<OpenShard> shards{};
  };
  Split& find(std::string_view name) const;
  const Shard& opened(Split& split, std::size_t number) const;
  struct Place {
    const Shard* shard;
    std::int64_t record;
  };
  Place locate(std::string_view split, std::int64_t index) const;

  FolderInfo info_;
  std::filesystem::path index_folder_;
  bool verify_;
  mutable std::deque<Split> splits_;
};

}  // namespace qfw::tfds
