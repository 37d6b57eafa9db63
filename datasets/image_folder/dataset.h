#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <mutex>
#include <string>
#include <vector>

#include "listing.h"
#include "qfw/dataset.h"
#include "qfw/options.h"

namespace qfw::image_folder {

/// Files are read at get(), whole; what they are is told by how they begin. A split is listed when it is first asked for.
class ImageFolder final : public Dataset {
 public:
  struct Options {
    std::string data_dir, validation_labels;

    static void declare(Declare<Options>& option) {
      option("data_dir", &Options::data_dir, "the folder of train/CLASS/*.JPEG and val (or validation), perhaps test");
      option("validation_labels", &Options::validation_labels,
             "for a val folder without classes: a text file of lines FILE LABEL, or LABEL in the order of the files' names");
    }
  };
  explicit ImageFolder(const Options& options);

  std::int64_t classes() const override { return static_cast<std::int64_t>(class_names_.size()); }
  Shape shape() const override { return {}; }
  std::vector<std::string> splits() const override;
  std::int64_t size(std::string_view split) const override;
  Example get(std::string_view split, std::int64_t index) const override;
  std::string class_name(std::int64_t label) const override { return class_names_.at(static_cast<std::size_t>(label)); }
  std::string place(std::string_view split, std::int64_t index) const override;

 private:
  struct Split {
    std::string name;
    std::filesystem::path folder;
    bool flat = false;
    std::mutex mutex{};
    std::atomic<bool> ready{false};
    Listing listing{};
  };
  void find_splits();
  void find_classes();
  const Listing& listing(std::string_view split) const;
  void fill(Split& split) const;
  std::size_t checked(std::string_view split, std::int64_t index) const;

  std::filesystem::path root_, labels_;
  std::vector<std::string> class_names_;
  mutable std::deque<Split> splits_;
};

}  // namespace qfw::image_folder
