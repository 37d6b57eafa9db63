#pragma once

#include <hdf5.h>

#include "parts.h"
#include "qfw/dataset_writer.h"
#include "qfw/options.h"

namespace qfw::hdf5_dataset {

/// What Hdf5Dataset reads: FOLDER itself if its name ends with .h5, else FOLDER/dataset.h5. The parts lie in a folder beside it
/// until finish() puts them together. A file that was finished from the same target with the same settings is left as it is.
class Hdf5Writer final : public DatasetWriter {
 public:
  struct Options {
    std::string encoding = "keep";
    int quality = 95, gzip = 0;
    std::int64_t part_examples = 1024;

    static void declare(Declare<Options>& option) {
      option("encoding", &Options::encoding,
             "form of pictures that come as pixels; keep: pixels, which must all be equally large; others stay as they are",
             {.choices = {"keep", "jpeg", "png"}});
      option("quality", &Options::quality, "quality of the JPEG that is written, in percent", {.min = 1, .max = 100});
      option("gzip", &Options::gzip, "level of compression of the chunks; 0: none, as encoded pictures hardly shrink",
             {.min = 0, .max = 9});
      option("part_examples", &Options::part_examples, "examples in a part; an interruption costs at most one part",
             {.min = 1});
    }
  };
  explicit Hdf5Writer(const Options& options) : options_(options) {}

  void begin(const Target& target) override;
  std::int64_t parts(std::string_view split) const override;
  std::pair<std::int64_t, std::int64_t> range(std::string_view split, std::int64_t part) const override;
  bool has(std::string_view split, std::int64_t part) const override;
  void write(std::string_view split, std::int64_t part, const Source& source) override;
  void finish() override;

 private:
  const Split& find(std::string_view split) const;
  std::filesystem::path part_file(std::string_view split, std::int64_t part) const;
  std::string description() const;
  std::string digest() const;
  /// Throws unless pictures of this form can join those that a split has already.
  void join(std::string_view split, const Form& form, const std::string& place);
  void write_split(hid_t file, const Split& split) const;
  void assemble() const;
  void write_file(hid_t file) const;

  Options options_;
  Target target_;
  std::filesystem::path file_, parts_;
  bool finished_ = false;
  std::vector<std::pair<std::string, Form>> forms_;  ///< of the splits, as far as they are known
};

}  // namespace qfw::hdf5_dataset
