// Where imagenet_tfds keeps the offsets of records.
#include "index.h"
#include "tfds_files.h"

namespace qfw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

class TfdsIndex : public test::TfdsFolder {
 protected:
  std::vector<fs::path> indexes() const {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator(index_folder())) found.push_back(entry.path());
    return found;
  }
  fs::path index_of_test() {
    open()->get("test", 0);
    const auto found = indexes();
    EXPECT_EQ(found.size(), 1u);
    return found.at(0);
  }
};

TEST_F(TfdsIndex, IsMadeOnceAndUsed) {
  const fs::path index = index_of_test();
  // Give the shard's header another content behind the index's back, with size and time as they were: it is not scanned again.
  std::string bytes = test::contents(shard("test", 0, 1));
  const auto time = fs::last_write_time(shard("test", 0, 1));
  bytes[8] = static_cast<char>(bytes[8] ^ 1);
  test::store(shard("test", 0, 1), bytes);
  EXPECT_THAT(error([&] { open()->get("test", 0); }), HasSubstr("length does not fit"));
  fs::last_write_time(shard("test", 0, 1), time);
  EXPECT_NO_THROW(open({{"verify_crc", false}})->get("test", 0));
  EXPECT_EQ(indexes().size(), 1u);
}

TEST_F(TfdsIndex, AStaleOneIsNoticed) {
  index_of_test();
  test::store(shard("test", 0, 1), test::framed(test::record(items_[1])));
  EXPECT_EQ(test::item_of(open()->get("test", 0)), items_[1]);
  EXPECT_EQ(indexes().size(), 1u);
}

TEST_F(TfdsIndex, ADamagedOneIsMadeAgain) {
  const fs::path index = index_of_test();
  const std::string good = test::contents(index);
  for (std::size_t at = 0; at <= good.size(); ++at) {
    std::string bad = good;
    if (at < good.size()) {
      bad[at] = static_cast<char>(bad[at] ^ 0x41);
    } else {
      bad.resize(good.size() / 2);
    }
    test::store(index, bad);
    ASSERT_EQ(test::item_of(open()->get("test", 0)), items_[5]) << "byte " << at;
  }
  test::store(index, std::string());
  EXPECT_EQ(test::item_of(open()->get("test", 0)), items_[5]);
  EXPECT_EQ(test::contents(index), good);
}

TEST_F(TfdsIndex, AFolderThatCannotBeWrittenCostsOnlyTime) {
  test::store(index_folder(), std::string("a file where the folder should be"));
  EXPECT_EQ(test::item_of(open()->get("test", 0)), items_[5]);
}

TEST_F(TfdsIndex, ScanFindsEveryRecord) {
  const RegularFile file(shard("train", 0, 2));
  const std::size_t a = test::framed(test::record(items_[0])).size(), b = test::framed(test::record(items_[1])).size();
  EXPECT_THAT(tfds::scan_records(file).offsets, ElementsAre(0, a, a + b));
  EXPECT_EQ(tfds::index_of(file, index_folder()).offsets, tfds::index_of(file, index_folder()).offsets);
}

}  // namespace
}  // namespace qfw
