#include <sys/resource.h>

#include <csignal>
#include <thread>

#include "hdf5_files.h"

namespace qfw {
namespace {

using test::Hdf5Files;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

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
  EXPECT_THAT(error(), HasSubstr("never written"));
  write({}, H5T_STD_U8LE, false);
  EXPECT_THAT(error(), HasSubstr("never written"));
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
  EXPECT_THAT(test::message_of(Error::Category::usage, [] { test::make_plugin<Dataset>(test::hdf5_library, "hdf5"); }),
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
    const auto writer = test::make_plugin<DatasetWriter>(test::hdf5_library, "hdf5", settings);
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

TEST_F(Hdf5Writers, AFileThatCannotGrowIsOneErrorAndGoesOnLater) {
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit little = before;
  little.rlim_cur = 3000;  // enough for each part
  setrlimit(RLIMIT_FSIZE, &little);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { convert(); }),
              AllOf(HasSubstr("set.h5"), HasSubstr("File too large")));
  setrlimit(RLIMIT_FSIZE, &before);
  EXPECT_FALSE(fs::exists(path()));
  source_.reads = 0;
  convert();
  EXPECT_EQ(source_.reads, 0);  // every part was there
  EXPECT_EQ(test::all_of(*open(), "train"), source_.items["train"]);
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
