#pragma once

#include <atomic>
#include <deque>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "labels.h"
#include "listing.h"
#include "qfw/dataset.h"
#include "qfw/options.h"

namespace qfw::image_folder {

/// Files are read at get(), whole; what they are is told by how they begin. A split is listed when it is first asked for.
/// Classes are the folders of train (where there is none, of the first split there is) in which a picture lies, sorted by the
/// bytes of their names.
class ImageFolder final : public Dataset {
 public:
  struct Options {
    std::string data_dir, validation_labels, validation_labels_are = "auto";

    static void declare(Declare<Options>& option) {
      option("data_dir", &Options::data_dir,
             "the folder that holds train/CLASS/*.JPEG and the same below val (or validation, valid), perhaps test");
      option("validation_labels", &Options::validation_labels,
             "for a val folder without classes: a text file of lines FILE LABEL, or LABEL in the order of the files' names");
      option("validation_labels_are", &Options::validation_labels_are,
             "what labels in validation_labels are: names of classes, or places in the sorted list of classes, from 0; auto: "
             "what fits, "
             "refused if both do and differ",
             {.choices = {"auto", "names", "places"}});
    }
  };
  explicit ImageFolder(const Options& options);

  std::int64_t classes() const override { return static_cast<std::int64_t>(class_names_.size()); }
  Shape shape() const override { return {}; }
  std::vector<std::string> splits() const override;
  std::int64_t size(std::string_view split) const override;
  Example get(std::string_view split, std::int64_t index) const override;
  Identity identity(std::string_view split) const override;
  std::vector<std::string> notes(std::string_view split) const override;
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
    std::optional<Identity> identity{};
  };
  void find_splits();
  bool is_split(const std::string& name, const std::filesystem::path& folder);
  void find_classes();
  Split& ready_split(std::string_view name) const;
  const Listing& listing(std::string_view split) const { return ready_split(split).listing; }
  void fill(Split& split) const;
  std::size_t checked(std::string_view split, std::int64_t index) const;

  std::filesystem::path root_, labels_;
  Meaning meaning_;
  std::vector<std::string> notes_;  ///< of the folder as a whole
  std::vector<std::string> class_names_;
  mutable std::deque<Split> splits_;
};

}  // namespace qfw::image_folder
