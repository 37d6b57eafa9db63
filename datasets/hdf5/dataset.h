#pragma once

#include <deque>
#include <filesystem>
#include <string>
#include <vector>

#include "array.h"
#include "qfw/dataset.h"
#include "qfw/options.h"

namespace qfw::hdf5_dataset {

/// One file. A group per split holds either `images`, u8 [N, H, W, C], or `bytes`, u8 [total], the encoded pictures one after
/// the other, and `offsets`, integers [N + 1]; and `labels`, integers [N]; perhaps `names`, strings [N]. In the root, perhaps
/// `class_names`, strings. Everything but the pictures is read at once; get() is free of locks.
class Hdf5Dataset final : public Dataset {
 public:
  struct Options {
    std::string data_dir;
    static void declare(Declare<Options>& option) {
      option("data_dir", &Options::data_dir, "an .h5 file, or a folder that holds dataset.h5");
    }
  };
  explicit Hdf5Dataset(const Options& options);
  explicit Hdf5Dataset(const std::filesystem::path& path);

  std::int64_t classes() const override { return classes_; }
  Shape shape() const override;
  std::vector<std::string> splits() const override;
  std::int64_t size(std::string_view split) const override;
  Example get(std::string_view split, std::int64_t index) const override;
  std::string class_name(std::int64_t label) const override;
  std::string place(std::string_view split, std::int64_t index) const override;
  Identity identity(std::string_view split) const override;

 private:
  struct Split {
    Split(const RegularFile& file, SplitLayout&& from);
    std::string name;
    bool encoded;
    ByteArray array;
    std::vector<std::int64_t> offsets, labels;
    std::vector<std::string> names;
  };
  const Split& find(std::string_view name) const;
  std::size_t checked(const Split& split, std::int64_t index) const;
  std::pair<std::uint64_t, std::uint64_t> range(const Split& split, std::size_t number) const;

  RegularFile file_;
  std::deque<Split> splits_;
  std::vector<std::string> class_names_;
  std::int64_t classes_ = 0;
};

}  // namespace qfw::hdf5_dataset
