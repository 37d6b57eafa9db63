#pragma once

#include <cstdint>
#include <unordered_set>

#include "qfw/dataset_writer.h"
#include "qfw/options.h"

namespace qfw::image_folder {

/// FOLDER/SPLIT/CLASS/FILE, with `val` for validation. Class folders sort in the order of their labels: where the names do not,
/// they are numbered. What parts are done is noted in FOLDER/.qfw_parts until the end; then
/// FOLDER/.qfw_finished says what of, FOLDER/.qfw_classes lists all classes, and the same conversion finds nothing left to do.
class ImageFolderWriter final : public DatasetWriter {
 public:
  struct Options {
    std::string encoding = "jpeg";
    int quality = 95;
    std::int64_t part_examples = 1024;

    static void declare(Declare<Options>& option) {
      option("encoding", &Options::encoding, "form of pictures that come as pixels; others stay as they are",
             {.choices = {"jpeg", "png"}});
      option("quality", &Options::quality, "quality of the JPEG that is written, in percent", {.min = 1, .max = 100});
      option("part_examples", &Options::part_examples, "examples in a part; an interruption costs at most one part",
             {.min = 1});
    }
  };
  explicit ImageFolderWriter(const Options& options) : options_(options) {}

  bool takes(Example::Encoding) const override { return true; }
  void begin(const Target& target) override;
  std::int64_t parts(std::string_view split) const override;
  std::pair<std::int64_t, std::int64_t> range(std::string_view split, std::int64_t part) const override;
  bool has(std::string_view split, std::int64_t part) const override;
  void write(std::string_view split, std::int64_t part, const Source& source) override;
  void finish() override;

 private:
  const Split& find(std::string_view split) const;
  void make_class_folders() const;
  std::filesystem::path notes() const { return target_.folder / ".qfw_parts"; }
  std::filesystem::path end_note() const { return target_.folder / ".qfw_finished"; }
  std::filesystem::path note(std::string_view split, std::int64_t part) const;
  std::string description() const;

  Options options_;
  Target target_;
  std::vector<std::string> class_folders_;
  bool finished_ = false;
  std::unordered_set<std::uint64_t> written_;  ///< hashes of the paths below the folder, of all finished parts
};

/// Folders for these classes, whose sorted order is that of their labels.
std::vector<std::string> folders_of(const std::vector<std::string>& class_names);

}  // namespace qfw::image_folder
