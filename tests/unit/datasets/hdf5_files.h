#pragma once

#include <hdf5.h>

#include "support.h"

namespace qfw::test {

inline constexpr const char* hdf5_library = "dataset_hdf5";

/// Files as other programs write them.
class Hdf5Files : public testing::Test {
 protected:
  static constexpr hsize_t count = 7, height = 4, width = 5;

  struct Storage {
    hsize_t chunk = 0;  ///< rows; 0: contiguous
    bool gzip = false, shuffle = false, checksum = false;
    hsize_t chunk_height = height;
  };

  Hdf5Files() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    for (std::size_t i = 0; i < pixels_.size(); ++i) pixels_[i] = static_cast<std::uint8_t>(i * i / 3);
  }
  fs::path path() const { return folder_.path() / "set.h5"; }

  template <class T>
  static void put(hid_t group, const char* name, hid_t type, hid_t memory, const std::vector<hsize_t>& extents, const T* values,
                  hid_t properties = H5P_DEFAULT) {
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                data = H5Dcreate2(group, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ASSERT_GE(data, 0);
    if (values != nullptr) {
      ASSERT_GE(H5Dwrite(data, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    }
    H5Dclose(data);
    H5Sclose(space);
  }

  /// One split of pixels.
  void write(const Storage& storage, hid_t type = H5T_STD_U8LE, bool fill = true,
             std::vector<int> labels = {0, 1, 2, 0, 1, 2, 0}) {
    const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT),
                properties = H5Pcreate(H5P_DATASET_CREATE);
    if (storage.chunk > 0) {
      const hsize_t chunk[4] = {storage.chunk, storage.chunk_height, width, 3};
      H5Pset_chunk(properties, 4, chunk);
      if (storage.shuffle) H5Pset_shuffle(properties);
      if (storage.gzip) H5Pset_deflate(properties, 6);
      if (storage.checksum) H5Pset_fletcher32(properties);
    }
    put(group, "images", type, H5T_NATIVE_UINT8, {count, height, width, 3}, fill ? pixels_.data() : nullptr, properties);
    put(group, "labels", H5T_STD_I16BE, H5T_NATIVE_INT, {labels.size()}, labels.data());
    H5Pclose(properties);
    H5Gclose(group);
    H5Fclose(file);
  }
  std::unique_ptr<Dataset> open() const { return make_plugin<Dataset>(hdf5_library, "hdf5", {{"data_dir", path().string()}}); }
  std::string error() const {
    return message_of(Error::Category::data, [&] { open(); });
  }
  void expect_pixels(const Dataset& dataset, std::int64_t index) const {
    const Example example = dataset.get("train", index);
    ASSERT_EQ(example.bytes.size(), height * width * 3);
    EXPECT_EQ(example.shape, (Shape{height, width, 3}));
    EXPECT_EQ(example.label, index % 3);
    EXPECT_TRUE(std::ranges::equal(
        example.bytes,
        std::as_bytes(std::span(pixels_).subspan(static_cast<std::size_t>(index) * height * width * 3, height * width * 3))))
        << index;
  }

  TemporaryFolder folder_;
  std::vector<std::uint8_t> pixels_ = std::vector<std::uint8_t>(count * height * width * 3);
};

}  // namespace qfw::test
