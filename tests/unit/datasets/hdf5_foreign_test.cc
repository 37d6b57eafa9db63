#include <sys/stat.h>

#include <chrono>
#include <thread>

#include "hdf5_files.h"
#include "support/mutate.h"

/// Files that would have the library read elsewhere, or that were made to do harm.
namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr std::uint64_t most_memory = std::uint64_t{1} << 30;
constexpr auto longest = std::chrono::seconds(15);  // the limit is 10; the machine may be busy

class Hdf5Foreign : public test::Hdf5Files {
 protected:
  Hdf5Foreign() {
    write({});
    fs::rename(path(), elsewhere());
    file_ = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    group_ = H5Gcreate2(file_, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  }
  fs::path elsewhere() const { return folder_.path() / "elsewhere.h5"; }
  void labels(std::size_t number = count) {
    std::vector<std::int64_t> all(number);
    for (std::size_t i = 0; i < number; ++i) all[i] = static_cast<std::int64_t>(i) % 3;
    put(group_, "labels", H5T_STD_I64LE, H5T_NATIVE_INT64, {number}, all.data());
  }
  void images(hid_t group, hid_t properties = H5P_DEFAULT) {
    put(group, "images", H5T_STD_U8LE, H5T_NATIVE_UINT8, {count, height, width, 3}, pixels_.data(), properties);
  }
  /// Of the file as it is now: written, then opened, in bounded time.
  std::string ends() {
    H5Gclose(group_);
    H5Fclose(file_);
    const auto start = std::chrono::steady_clock::now();
    const std::string text = error();
    EXPECT_LT(std::chrono::steady_clock::now() - start, longest);
    return text;
  }
  std::unique_ptr<Dataset> dataset() {
    H5Gclose(group_);
    H5Fclose(file_);
    return open();
  }
  hid_t file_, group_;
};

TEST_F(Hdf5Foreign, LinksToOtherFilesAreRefusedByName) {
  labels();
  H5Lcreate_external(elsewhere().c_str(), "/train/images", group_, "images", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(ends(), AllOf(HasSubstr("train/images"), HasSubstr("another file"), HasSubstr("elsewhere.h5:/train/images")));
}

TEST_F(Hdf5Foreign, GroupsInOtherFilesAreRefusedByName) {
  labels();
  images(group_);
  H5Lcreate_external(elsewhere().c_str(), "/train", file_, "validation", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(ends(), HasSubstr("another file, " + elsewhere().string()));
}

TEST_F(Hdf5Foreign, SoftLinksToOtherFilesAreRefusedByName) {
  labels();
  H5Lcreate_external(elsewhere().c_str(), "/train", file_, "zz", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/zz/images", group_, "images", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(ends(), HasSubstr("elsewhere.h5:/train"));
}

TEST_F(Hdf5Foreign, LinksWithinTheFileAreFollowed) {
  labels();
  const hid_t pool = H5Gcreate2(file_, "pool", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  images(pool);
  H5Gclose(pool);
  H5Lcreate_soft("/pool/images", group_, "images", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/train", file_, "validation", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_hard(file_, "train", file_, "test", H5P_DEFAULT, H5P_DEFAULT);
  const auto all = dataset();
  EXPECT_THAT(all->splits(), testing::UnorderedElementsAre("train", "validation", "test"));
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) expect_pixels(*all, i);
}

TEST_F(Hdf5Foreign, ALinkToNowhereIsNamed) {
  labels();
  H5Lcreate_soft("/nowhere", group_, "images", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(ends(), HasSubstr("train/images"));
}

TEST_F(Hdf5Foreign, ExternalStorageIsRefused) {
  labels();
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(properties, (folder_.path() / "raw").c_str(), 0, H5F_UNLIMITED);
  images(group_, properties);
  H5Pclose(properties);
  EXPECT_THAT(ends(), AllOf(HasSubstr("train/images"), HasSubstr("another file")));
}

TEST_F(Hdf5Foreign, VirtualDataSetsAreRefused) {
  labels();
  const hsize_t extents[] = {count, height, width, 3};
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(4, extents, nullptr);
  H5Pset_virtual(properties, space, elsewhere().c_str(), "/train/images", space);
  put(group_, "images", H5T_STD_U8LE, H5T_NATIVE_UINT8, {count, height, width, 3}, static_cast<std::uint8_t*>(nullptr),
      properties);
  H5Pclose(properties);
  H5Sclose(space);
  EXPECT_THAT(ends(), AllOf(HasSubstr("train/images"), HasSubstr("virtual")));
}

TEST_F(Hdf5Foreign, AnUnknownFilterIsNamed) {
  constexpr H5Z_filter_t lzf = 32000;
  const auto write = [&](const char* name, hid_t type, const std::vector<hsize_t>& extents) {
    const int rank = static_cast<int>(extents.size());
    const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(rank, extents.data(), nullptr);
    H5Pset_chunk(properties, rank, extents.data());
    H5Pset_filter(properties, lzf, H5Z_FLAG_OPTIONAL, 0, nullptr);
    const hid_t data = H5Dcreate2(group_, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ASSERT_GE(data, 0);
    const std::vector<hsize_t> first(extents.size());
    const std::vector<unsigned char> compressed(20);
    ASSERT_GE(H5Dwrite_chunk(data, H5P_DEFAULT, 0, first.data(), compressed.size(), compressed.data()), 0);
    H5Dclose(data);
    H5Sclose(space);
    H5Pclose(properties);
  };
  images(group_);
  write("labels", H5T_STD_I64LE, {count});
  EXPECT_THAT(ends(), AllOf(HasSubstr("train/labels"), HasSubstr("filter 32000"), HasSubstr("gzip")));
}

TEST_F(Hdf5Foreign, AHugeArrayAsksForNoMemory) {
  labels();
  const hsize_t extents[] = {count, 60'000, 60'000, 3};
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(4, extents, nullptr);
  const hsize_t chunk[] = {1, 30'000, 30'000, 3};
  H5Pset_chunk(properties, 4, chunk);
  H5Pset_deflate(properties, 9);
  const hid_t data = H5Dcreate2(group_, "images", H5T_STD_U8LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  ASSERT_GE(data, 0);
  H5Dclose(data);
  H5Sclose(space);
  H5Pclose(properties);
  EXPECT_THAT(ends(), HasSubstr("train/images"));
  EXPECT_LT(test::peak_memory(), most_memory);
}

TEST_F(Hdf5Foreign, AHugeListAsksForNoMemory) {
  images(group_);
  const hsize_t extents[] = {std::uint64_t{1} << 27}, chunk[] = {std::uint64_t{1} << 27};
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE), space = H5Screate_simple(1, extents, nullptr);
  H5Pset_chunk(properties, 1, chunk);
  H5Pset_deflate(properties, 9);
  const hid_t data = H5Dcreate2(group_, "labels", H5T_STD_I64LE, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  const std::vector<unsigned char> compressed(1 << 16);
  H5Dwrite_chunk(data, H5P_DEFAULT, 0, std::vector<hsize_t>{0}.data(), compressed.size(), compressed.data());
  H5Dclose(data);
  H5Sclose(space);
  H5Pclose(properties);
  EXPECT_THAT(ends(), HasSubstr("set.h5"));
  EXPECT_LT(test::peak_memory(), most_memory);
}

TEST_F(Hdf5Foreign, NamesOfGigabytesAskForNoMemory) {
  labels();
  images(group_);
  const hsize_t extents[] = {count};
  const hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, extents, nullptr),
              properties = H5Pcreate(H5P_DATASET_CREATE);
  H5Tset_size(type, std::size_t{1} << 31);
  H5Pset_chunk(properties, 1, std::vector<hsize_t>{1}.data());
  const hid_t data = H5Dcreate2(group_, "names", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  ASSERT_GE(data, 0);
  H5Dclose(data);
  H5Sclose(space);
  H5Tclose(type);
  H5Pclose(properties);
  EXPECT_THAT(ends(), HasSubstr("train/names"));
  EXPECT_LT(test::peak_memory(), most_memory);
}

TEST_F(Hdf5Foreign, DeepAndCircularGroupsDoNotHang) {
  labels();
  images(group_);
  hid_t inner = H5Gcreate2(group_, "deeper", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  for (int i = 0; i < 2000; ++i) {
    const hid_t next = H5Gcreate2(inner, "d", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    H5Gclose(std::exchange(inner, next));
  }
  H5Lcreate_hard(file_, "/", inner, "up", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_soft("/loop", file_, "loop", H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose(inner);
  EXPECT_EQ(dataset()->size("train"), static_cast<std::int64_t>(count));
}

TEST_F(Hdf5Foreign, WhatIsNoFileIsNotOpened) {
  H5Gclose(group_);
  H5Fclose(file_);
  fs::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_THAT(error(), HasSubstr("pipe"));
  fs::remove(path());
  fs::create_symlink("/dev/zero", path());
  EXPECT_THAT(error(), HasSubstr("device"));
  fs::remove(path());
  fs::create_symlink(path(), path());
  EXPECT_THAT(error(), HasSubstr("set.h5"));
}

TEST_F(Hdf5Foreign, AFileCutWhileItIsReadIsAnError) {
  labels();
  images(group_);
  const auto all = dataset();
  expect_pixels(*all, 6);
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  fs::resize_file(path(), fs::file_size(path()) - 30);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { all->get("train", 0); }), HasSubstr("set.h5"));
  fs::resize_file(path(), 100);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { all->get("train", 6); }), HasSubstr("set.h5"));
}

class Hdf5Mutations : public test::Hdf5Files {};

TEST_F(Hdf5Mutations, EndInAnErrorOrAreRead) {
  int refused = 0, tries = 0;
  for (const Storage& storage : {Storage{}, Storage{3}, Storage{2, true}}) {
    write(storage);
    const std::string whole = test::contents(path());
    for (int i = 0; i < test::mutations(); ++i, ++tries) {
      test::store(path(), test::mutated(whole, static_cast<std::uint64_t>(i)));
      const auto start = std::chrono::steady_clock::now();
      try {
        const auto all = open();
        for (const std::string& split : all->splits()) {
          for (std::int64_t k = 0; k < std::min<std::int64_t>(all->size(split), 100); ++k) all->get(split, k);
        }
      } catch (const Error& error) {
        EXPECT_EQ(static_cast<int>(error.category()), static_cast<int>(Error::Category::data)) << error.what();
        ++refused;
      }
      EXPECT_LT(std::chrono::steady_clock::now() - start, longest) << "mutation " << i;
    }
  }
  EXPECT_LT(test::peak_memory(), most_memory);
  std::printf("%d mutations: %d refused, %d read\n", tries, refused, tries - refused);
  EXPECT_GT(refused, tries / 5);
}

}  // namespace
}  // namespace qfw
