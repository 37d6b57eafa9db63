// Records of imagenet_tfds: framing, checksums, tf.train.Example.
#include <sys/stat.h>

#include <thread>

#include "data/labels.h"
#include "data_tools/survey.h"
#include "tfds_files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

std::uint32_t crc32c(const std::string& text) { return tfds::crc32c(std::as_bytes(std::span(text))); }

TEST(Crc32c, PublishedValues) {  // RFC 3720, B.4, and the usual check value
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  std::string rising(32, '\0');
  for (std::size_t i = 0; i < 32; ++i) rising[i] = static_cast<char>(i);
  EXPECT_EQ(crc32c(rising), 0x46dd794eu);
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("a"), 0xc1d04330u);
}

class TfdsRecords : public test::TfdsFolder {};

TEST_F(TfdsRecords, AreNumberedInTheOrderOfTheShards) {
  const auto dataset = open();
  EXPECT_THAT(dataset->splits(), ElementsAre("train", "test"));
  ASSERT_EQ(dataset->size("train"), 5);
  for (int i = 4; i >= 0; --i) EXPECT_EQ(test::item_of(dataset->get("train", i)), items_[static_cast<std::size_t>(i)]);
  EXPECT_EQ(test::item_of(dataset->get("test", 0)), items_[5]);
  EXPECT_THAT(dataset->place("train", 4),
              AllOf(HasSubstr("zoo-train.tfrecord-00001-of-00002"), HasSubstr("record 1 at offset")));
}

TEST_F(TfdsRecords, AreReadByManyThreads) {
  const auto dataset = open();
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 50; ++i) {
        const auto index = static_cast<std::size_t>((i * 3 + t) % 5);
        wrong += test::item_of(dataset->get("train", static_cast<std::int64_t>(index))) != items_[index];
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST_F(TfdsRecords, AFlippedBitIsFoundWhereverItIs) {
  const std::string whole = test::contents(shard("train", 1, 2));
  const std::size_t first = test::framed(test::record(items_[3])).size();
  for (const std::size_t at : {first + 3, first + 9, first + 12, first + 400, whole.size() - 2}) {
    std::string damaged = whole;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x20);
    test::store(shard("train", 1, 2), damaged);
    EXPECT_THAT(error_of(4), AllOf(HasSubstr("00001-of-00002"), HasSubstr("record 1"), HasSubstr(std::to_string(first)),
                                   HasSubstr("checksum")))
        << "byte " << at;
    EXPECT_EQ(test::item_of(open()->get("test", 0)), items_[5]);
  }
}

TEST_F(TfdsRecords, ChecksumsOfDataMayBeLeftOut) {
  std::string bytes = test::contents(shard("test", 0, 1));
  bytes.back() = static_cast<char>(bytes.back() ^ 1);
  test::store(shard("test", 0, 1), bytes);
  EXPECT_THAT(error([&] { open()->get("test", 0); }), HasSubstr("checksum"));
  EXPECT_EQ(test::item_of(open({{"verify_crc", false}})->get("test", 0)), items_[5]);
}

TEST_F(TfdsRecords, ATruncatedShardNamesRecordAndOffset) {
  const std::string whole = test::contents(shard("train", 1, 2));
  const std::size_t first = test::framed(test::record(items_[3])).size();
  for (const std::size_t length : {first + 5, first + 12, first + 100, whole.size() - 1}) {
    test::store(shard("train", 1, 2), whole.substr(0, length));
    EXPECT_THAT(error_of(4), AllOf(HasSubstr("ends within a record"), HasSubstr("00001-of-00002, record 1"),
                                   HasSubstr("at record 1, offset " + std::to_string(first))))
        << length;
    EXPECT_EQ(test::item_of(open()->get("train", 3)), items_[3]) << "what comes before is there";
  }
  test::store(shard("train", 1, 2), whole.substr(0, first));
  EXPECT_THAT(error_of(4), HasSubstr("dataset_info.json says 2"));
  test::store(shard("train", 1, 2), std::string());
  EXPECT_THAT(error_of(4), AllOf(HasSubstr("00001-of-00002"), HasSubstr("the file is empty")));
}

TEST_F(TfdsRecords, OneRecordTooManyIsNotOverlooked) {
  test::store(shard("test", 0, 1), test::contents(shard("test", 0, 1)) + test::framed(test::record(items_[0])));
  EXPECT_THAT(error([&] { open()->get("test", 0); }), HasSubstr("holds 2 records, dataset_info.json says 1"));
}

TEST_F(TfdsRecords, WhatFollowsTheLastRecordIsNotOverlooked) {
  const std::string whole = test::contents(shard("test", 0, 1)), offset = "offset " + std::to_string(whole.size());
  const std::string next = test::framed(test::record(items_[0]));
  for (const std::string& more : {next.substr(0, 5), next.substr(0, next.size() - 1), std::string(100, 'x')}) {
    test::store(shard("test", 0, 1), whole + more);
    EXPECT_THAT(error([&] { open()->get("test", 0); }),
                AllOf(HasSubstr("more follows the 1 records"), HasSubstr(offset), HasSubstr("zoo-test.tfrecord")));
  }
}

TEST_F(TfdsRecords, AHugeRecordAsksForNoMemory) {
  const std::uint64_t length = std::uint64_t{1} << 40;
  const auto raw = [](auto value) { return std::string(reinterpret_cast<const char*>(&value), sizeof value); };
  test::store(shard("test", 0, 1), raw(length) + raw(tfds::masked_crc32c(std::as_bytes(std::span(&length, 1)))));
  fs::resize_file(shard("test", 0, 1), length + 16);  // sparse
  EXPECT_THAT(error([&] { open()->get("test", 0); }), AllOf(HasSubstr("at most 1073741824"), HasSubstr("record 0")));
}

TEST_F(TfdsRecords, AMissingShardIsNamedAtOnce) {
  fs::remove(shard("train", 1, 2));
  EXPECT_THAT(error([&] { open()->size("train"); }),
              AllOf(HasSubstr("missing"), HasSubstr("zoo-train.tfrecord-00001-of-00002")));
  fs::create_directory(shard("train", 1, 2));
  EXPECT_THAT(error_of(4), HasSubstr("zoo-train.tfrecord-00001-of-00002"));
}

TEST_F(TfdsRecords, WhatIsNoShardIsCalledByItsName) {
  const std::string whole = test::contents(shard("test", 0, 1));
  std::string tar(1024, 'x');
  tar.replace(257, 5, "ustar");
  for (const auto& [bytes, name] : std::initializer_list<std::pair<std::string, const char*>>{
           {"\x1f\x8b\x08 and so on, for some more bytes", "compressed with gzip"},
           {"BZh91AY and so on, for some more bytes", "compressed with bzip2"},
           {std::string("\xfd\x37zXZ\0 and so on, for some more", 30), "compressed with xz"},
           {"\x28\xb5\x2f\xfd and so on, for some more bytes", "compressed with zstd"},
           {"PK\x03\x04 and so on, for some more bytes", "a zip archive"},
           {tar, "a tar archive"},
           {"<!DOCTYPE html>\n<html><body>Quota exceeded</body></html>", "a web page (HTML)"},
           {"\n\n <HTML lang=en>Not found", "a web page (HTML)"},
           {"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n", "a pointer of Git LFS"},
           {"", "the file is empty"}}) {
    test::store(shard("test", 0, 1), bytes);
    const std::string message = error([&] { open()->get("test", 0); });
    EXPECT_THAT(message, AllOf(HasSubstr("no shard of TFRecords"), HasSubstr(name), HasSubstr("zoo-test.tfrecord")));
  }
  std::string damaged = whole;
  damaged[3] = static_cast<char>(damaged[3] ^ 1);
  test::store(shard("test", 0, 1), damaged);
  EXPECT_THAT(error([&] { open()->get("test", 0); }),
              AllOf(HasSubstr("a length does not fit"), Not(HasSubstr("no shard of TFRecords"))));
}

TEST_F(TfdsRecords, APipeIsRefusedWithoutWaiting) {
  fs::remove(shard("test", 0, 1));
  ASSERT_EQ(mkfifo(shard("test", 0, 1).c_str(), 0600), 0);
  EXPECT_THAT(error([&] { open()->get("test", 0); }), AllOf(HasSubstr("it is a pipe"), HasSubstr("zoo-test.tfrecord")));
  fs::remove(shard("test", 0, 1));
  fs::create_symlink("/dev/zero", shard("test", 0, 1));
  EXPECT_THAT(error([&] { open()->get("test", 0); }), HasSubstr("it is a device"));
}

TEST_F(TfdsRecords, AShardThatChangesWhileItIsOpenIsAnError) {
  const std::string whole = test::contents(shard("train", 0, 2));
  const std::size_t first = test::framed(test::record(items_[0])).size();
  const auto change = [&](auto how) {
    test::store(shard("train", 0, 2), whole);
    const auto dataset = open();
    const Example kept = dataset->get("train", 0);
    how();
    EXPECT_EQ(test::item_of(kept), items_[0]) << "an example in hand is safe";
    return error([&] { dataset->get("train", 1); });
  };
  const auto in_place = [&](std::size_t at) {
    std::fstream file(shard("train", 0, 2), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(whole[at] ^ 1));
  };
  const auto named = HasSubstr("zoo-train.tfrecord-00000-of-00002");
  EXPECT_THAT(change([&] { fs::resize_file(shard("train", 0, 2), first + 30); }), AllOf(HasSubstr("it ends at byte"), named));
  EXPECT_THAT(change([&] { fs::resize_file(shard("train", 0, 2), 0); }), AllOf(HasSubstr("it ends at byte"), named));
  EXPECT_THAT(change([&] { in_place(first + 40); }),
              AllOf(HasSubstr("do not fit their checksum"), named, HasSubstr("record 1")));
  EXPECT_THAT(change([&] { in_place(first); }), AllOf(HasSubstr("changed while it was open"), named, HasSubstr("record 1")));
}

TEST_F(TfdsRecords, ExamplesWithoutALabelAreGivenAsSuch) {
  test::Item item = items_[5];
  item.label = -1;
  test::store(shard("test", 0, 1), test::framed(test::record(item)));
  EXPECT_EQ(open()->get("test", 0).label, -1);
  EXPECT_THAT(error([&] { require_labels(*open(), "test"); }),
              AllOf(HasSubstr("split test has no labels"), HasSubstr("zoo-test.tfrecord")));
  require_labels(*open(), "train");
  const Survey test = survey(*open(), "test", Depth::decode, 1);
  EXPECT_EQ(test.unlabelled, 1);
  EXPECT_EQ(test.bad, 0);

  item.label = -1;
  test::store(shard("train", 1, 2), test::framed(test::record(items_[3])) + test::framed(test::record(item)));
  const Survey train = survey(*open(), "train", Depth::read, 2);
  EXPECT_EQ(train.unlabelled, 1);
  EXPECT_EQ(train.bad, 1);
  EXPECT_THAT(train.errors, ElementsAre(AllOf(HasSubstr("no label (-1)"), HasSubstr("record 1"))));
  require_labels(*open(), "train");  // some have, so each is judged when it is read
}

TEST_F(TfdsRecords, BadExamplesAreNamed) {
  const auto message = [&](const std::string& data) {
    test::store(shard("test", 0, 1), test::framed(data));
    return error([&] { open()->get("test", 0); });
  };
  const std::string place = "zoo-test.tfrecord-00000-of-00001, record 0 at offset 0";
  EXPECT_THAT(message("hello, this is text"), AllOf(HasSubstr("no tf.train.Example"), HasSubstr(place)));
  EXPECT_THAT(message(""), AllOf(HasSubstr("no bytes named image"), HasSubstr(place)));
  test::Item item = items_[5];
  item.label = 3;
  EXPECT_THAT(message(test::record(item)), AllOf(HasSubstr("label 3 of 3 classes"), HasSubstr(place)));
  item.label = -2;
  EXPECT_THAT(message(test::record(item)), HasSubstr("label -2"));
  tfds::ExampleBuilder without;
  without.add("image", items_[5].bytes);
  EXPECT_THAT(message(without.finish()), HasSubstr("no integer named label"));
}

TEST(Example, EveryTruncationIsAnErrorOrLacksTheFeature) {
  const test::Item item = test::encoded_item(5, 2, "n05.JPEG");
  const std::string data = test::record(item);
  for (std::size_t length = 0; length < data.size(); ++length) {
    const std::vector<char> exact(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(length));  // asan sees its end
    try {
      EXPECT_FALSE(tfds::find_feature(std::as_bytes(std::span(exact)), "label")) << length;
    } catch (const std::string& what) {
      EXPECT_FALSE(what.empty());
    }
  }
}

TEST(Example, LaterValuesWinAndUnknownFieldsArePassedOver) {
  const auto bytes = [](const std::string& text) { return std::as_bytes(std::span(text)); };
  tfds::ExampleBuilder builder;
  builder.add("label", std::int64_t{300});
  builder.add("x", bytes("first"));
  builder.add("x", bytes("second"));
  builder.add("label", std::int64_t{-2});
  const std::string example =
      std::string("\x10\x05", 2) + builder.finish() + std::string("\x1a\x03xyz\x25\x01\x02\x03\x04", 10);
  const auto x = tfds::find_feature(bytes(example), "x"), label = tfds::find_feature(bytes(example), "label");
  ASSERT_TRUE(x && x->bytes && label && label->integer);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(x->bytes->data()), x->bytes->size()), "second");
  EXPECT_EQ(*label->integer, -2);
  EXPECT_FALSE(tfds::find_feature(bytes(example), "y"));
  // Int64List that is not packed: field 1, type 0
  const std::string unpacked = "\x0a\x0f\x0a\x0d\x0a\x05label\x12\x04\x1a\x02\x08\x07";
  const auto seven = tfds::find_feature(bytes(unpacked), "label");
  ASSERT_TRUE(seven && seven->integer);
  EXPECT_EQ(*seven->integer, 7);
}

}  // namespace
}  // namespace qfw
