#include <hdf5.h>

#include <thread>

#include "support.h"

namespace qfw {
namespace {

using test::Item;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* library = "dataset_hdf5";

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
    H5Dclose(data), H5Sclose(space);
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
    H5Pclose(properties), H5Gclose(group), H5Fclose(file);
  }
  std::unique_ptr<Dataset> open() const { return test::make_plugin<Dataset>(library, "hdf5", {{"data_dir", path().string()}}); }
  std::string error() const {
    return test::message_of(Error::Category::data, [&] { open(); });
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

  test::TemporaryFolder folder_;
  std::vector<std::uint8_t> pixels_ = std::vector<std::uint8_t>(count * height * width * 3);
};

TEST_F(Hdf5Files, EveryLayoutIsReadAlike) {
  for (const Storage& storage : {Storage{}, Storage{1}, Storage{3}, Storage{7}, Storage{3, true}, Storage{2, true, true},
                                 Storage{1, true}, Storage{4, false, true}}) {
    write(storage);
    const auto dataset = open();
    EXPECT_EQ(dataset->classes(), 3);  // no class_names: by the labels
    EXPECT_EQ(dataset->shape(), (Shape{height, width, 3}));
    EXPECT_THAT(dataset->splits(), ElementsAre("train"));
    for (std::int64_t i = count - 1; i >= 0; --i) expect_pixels(*dataset, i);
  }
}

TEST_F(Hdf5Files, AreReadByManyThreads) {
  write({2, true});
  const auto dataset = open(), other = open();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) expect_pixels(i % 2 == 0 ? *dataset : *other, (i * 3 + t) % static_cast<int>(count));
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_F(Hdf5Files, OtherLayoutsSayHowToStoreThem) {
  write({2}, H5T_IEEE_F32LE);
  EXPECT_THAT(error(), AllOf(HasSubstr("train/images"), HasSubstr("not of type uint8"), HasSubstr("chunks of whole rows")));
  write({2}, H5T_STD_I8LE);
  EXPECT_THAT(error(), HasSubstr("not of type uint8"));
  write({2, false, false, true});
  EXPECT_THAT(error(), HasSubstr("fletcher32"));
  write({2, false, false, false, 2});
  EXPECT_THAT(error(), HasSubstr("do not hold whole rows"));
  write({2}, H5T_STD_U8LE, false);
  EXPECT_THAT(error(), HasSubstr("chunk 0 of 4 was never written"));
  write({}, H5T_STD_U8LE, false);
  EXPECT_THAT(error(), HasSubstr("ends before its bytes"));
}

TEST_F(Hdf5Files, CountsAndLabelsMustAgree) {
  write({}, H5T_STD_U8LE, true, {0, 1});
  EXPECT_THAT(error(), HasSubstr("2 labels for 7 pictures"));
  write({}, H5T_STD_U8LE, true, {0, 1, -5, 0, 1, 2, 0});
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { open()->get("train", 2); }),
              AllOf(HasSubstr("label is -5 of 3 classes"), HasSubstr("record 2 at offset")));
}

TEST_F(Hdf5Files, ForeignAndDamagedFilesAreRefused) {
  EXPECT_THAT(error(), AllOf(HasSubstr("set.h5"), HasSubstr("No such file")));
  test::store(path(), std::string("certainly not HDF5"));
  EXPECT_THAT(error(), HasSubstr("this is no HDF5 file"));
  write({3, true});
  const std::string whole = test::contents(path());
  test::store(path(), whole.substr(0, whole.size() / 2));
  EXPECT_THAT(error(), HasSubstr("damaged"));
  const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  H5Fclose(file);
  EXPECT_THAT(error(), AllOf(HasSubstr("no group has labels"), HasSubstr("bytes and offsets")));
  EXPECT_THAT(test::message_of(Error::Category::usage, [] { test::make_plugin<Dataset>(library, "hdf5"); }),
              HasSubstr("data_dir is not set"));
}

TEST_F(Hdf5Files, ADamagedChunkNamesRecordAndOffset) {
  write({3, true});
  const auto dataset = open();
  std::string bytes = test::contents(path());
  const std::string place = dataset->place("train", 4);
  const auto offset = std::stoul(place.substr(place.rfind(' ') + 1));
  bytes[offset + 5] = static_cast<char>(bytes[offset + 5] ^ 0x55),
                 bytes[offset + 9] = static_cast<char>(bytes[offset + 9] ^ 0x55);
  test::store(path(), bytes);
  const auto damaged = open();
  expect_pixels(*damaged, 1);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { damaged->get("train", 4); }),
              AllOf(HasSubstr("chunk 1 cannot be decompressed"), HasSubstr(std::to_string(offset))));
  expect_pixels(*damaged, 2);
}

class Hdf5Writers : public Hdf5Files {
 protected:
  Hdf5Writers() {
    for (int i = 0; i < 7; ++i) source_.items["train"].push_back(test::pixel_item(i, i % 3, i % 2 == 0 ? "a" : ""));
  }
  void convert(Settings settings = {}) {
    settings.emplace_back("part_examples", std::int64_t{3});
    const auto writer = test::make_plugin<DatasetWriter>(library, "hdf5", settings);
    qfw::convert(source_, *writer, {.folder = path(), .splits = {"train"}, .workers = 1});
  }
  test::MemoryDataset source_;
};

TEST_F(Hdf5Writers, PixelsStayPixels) {
  for (const int gzip : {0, 4}) {
    fs::remove(path());
    convert({{"gzip", std::int64_t{gzip}}});
    const auto dataset = open();
    EXPECT_EQ(dataset->shape(), (Shape{8, 12, 3}));
    EXPECT_EQ(dataset->class_name(1), "bee");
    EXPECT_EQ(test::all_of(*dataset, "train"), source_.items["train"]) << gzip;
  }
}

TEST_F(Hdf5Writers, LargePicturesSpanChunks) {
  source_.items["train"].clear();
  for (int i = 0; i < 4; ++i) source_.items["train"].push_back(test::pixel_item(i, 0, "", 700, 600));  // 1.2 MiB each
  convert();
  EXPECT_EQ(test::all_of(*open(), "train"), source_.items["train"]);
  fs::remove(path());
  convert({{"encoding", std::string("png")}, {"gzip", std::int64_t{1}}});
  image::Decoder decoder;
  const auto dataset = open();
  for (int i = 0; i < 4; ++i) {
    EXPECT_TRUE(std::ranges::equal(std::as_bytes(decoder.decode(dataset->get("train", i)).data),
                                   source_.items["train"][static_cast<std::size_t>(i)].bytes));
  }
}

TEST_F(Hdf5Writers, UnequalPicturesAreRefusedAtOnce) {
  source_.items["train"][4] = test::pixel_item(4, 0, "", 9, 12);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { convert(); }),
              AllOf(HasSubstr("pixels [9, 12, 3] cannot stand beside pixels [8, 12, 3]"), HasSubstr("example 4"),
                    HasSubstr("encoding = png")));
  EXPECT_LE(source_.reads, 7);
  EXPECT_FALSE(fs::exists(path()));
  source_.items["train"][4] = test::encoded_item(4, 0, "");
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { convert(); }),
              HasSubstr("encoded pictures cannot stand beside pixels"));
}

TEST_F(Hdf5Writers, OtherThingsAreNotOverwritten) {
  convert();
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 convert({{"encoding", std::string("png")}});
                               }),
              HasSubstr("such a file already"));
  fs::remove(path());
  source_.fails_at = 5;
  EXPECT_THROW(convert(), Error);
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 convert({{"encoding", std::string("png")}});
                               }),
              HasSubstr("other settings"));
}

}  // namespace
}  // namespace qfw
