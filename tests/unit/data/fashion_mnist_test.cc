#include <array>
#include <cstring>
#include <thread>

#include "qfw/dataset.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr const char* library = "dataset_fashion_mnist";

std::string be32(std::uint32_t value) {
  return {static_cast<char>(value >> 24), static_cast<char>(value >> 16), static_cast<char>(value >> 8),
          static_cast<char>(value)};
}

std::string gzip(const std::string& content) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string out(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

void write(const fs::path& path, const std::string& bytes) { std::ofstream(path, std::ios::binary) << bytes; }

/// A small data set whose validation files each test spoils.
class FashionMnistFiles : public testing::Test {
 protected:
  static constexpr int count = 5;

  static std::string images_content(std::uint32_t images = count) {
    std::string content = be32(0x803) + be32(images) + be32(28) + be32(28);
    for (int i = 0; i < count * 784; ++i) content += static_cast<char>(i * 7 + i / 784);
    return content;
  }
  static std::string labels_content(std::uint32_t labels = count) {
    return be32(0x801) + be32(labels) + std::string("\x09\x00\x03\x01\x02", 5);
  }

  FashionMnistFiles() { write_both(gzip(images_content()), gzip(labels_content())); }

  void write_both(const std::string& images, const std::string& labels) {
    write(images_path(), images);
    write(labels_path(), labels);
  }
  fs::path images_path() const { return folder_.path() / "t10k-images-idx3-ubyte.gz"; }
  fs::path labels_path() const { return folder_.path() / "t10k-labels-idx1-ubyte.gz"; }

  std::unique_ptr<Dataset> open() const {
    return test::make_plugin<Dataset>(library, "fashion_mnist", {{"data_dir", folder_.path().string()}});
  }
  std::string error() const {
    return test::message_of(Error::Category::data, [&] { open()->size("validation"); });
  }

  test::TemporaryFolder folder_;
};

TEST_F(FashionMnistFiles, AreReadInOrder) {
  const auto data = open();
  EXPECT_EQ(data->classes(), 10);
  EXPECT_EQ(data->shape(), (Shape{28, 28, 1}));
  ASSERT_EQ(data->size("validation"), count);
  const std::array<int, count> labels{9, 0, 3, 1, 2};
  const std::string content = images_content();
  for (int i = 0; i < count; ++i) {
    const Example example = data->get("validation", i);
    EXPECT_EQ(example.encoding, Example::Encoding::pixels);
    EXPECT_EQ(example.shape, (Shape{28, 28, 1}));
    EXPECT_EQ(example.label, labels[static_cast<std::size_t>(i)]);
    ASSERT_EQ(example.bytes.size(), 784u);
    EXPECT_EQ(std::memcmp(example.bytes.data(), content.data() + 16 + i * 784, 784), 0);
  }
}

TEST_F(FashionMnistFiles, AreReadOnceByManyThreads) {
  const auto data = open();
  std::array<const std::byte*, 8> seen{};
  std::vector<std::thread> threads;
  for (auto& where : seen) threads.emplace_back([&] { where = data->get("validation", 2).bytes.data(); });
  for (auto& thread : threads) thread.join();
  for (const auto* where : seen) EXPECT_EQ(where, seen[0]);
}

TEST_F(FashionMnistFiles, SplitAndIndexAreChecked) {
  const auto data = open();
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { data->size("test"); }),
              testing::AllOf(HasSubstr("\"test\""), HasSubstr("train and validation")));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { data->get("validation", count); }), HasSubstr("no image 5"));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { data->get("validation", -1); }), HasSubstr("no image -1"));
}

TEST_F(FashionMnistFiles, MissingFileNamesPackageAndOption) {
  fs::remove(labels_path());
  EXPECT_THAT(error(), testing::AllOf(HasSubstr(labels_path().string()), HasSubstr("apt-get install dataset-fashion-mnist"),
                                      HasSubstr("dataset.data_dir")));
  fs::create_directory(labels_path());
  EXPECT_THAT(error(), HasSubstr("cannot read"));
}

TEST_F(FashionMnistFiles, AFailureMayBeRepairedAndTriedAgain) {
  fs::remove(labels_path());
  const auto data = open();
  EXPECT_THROW(data->size("validation"), Error);
  write(labels_path(), gzip(labels_content()));
  EXPECT_EQ(data->size("validation"), count);
}

TEST_F(FashionMnistFiles, ForeignFilesAreRefused) {
  write(images_path(), "hello, world");
  EXPECT_THAT(error(), testing::AllOf(HasSubstr("not a gzip file"), HasSubstr("68 65"), HasSubstr(images_path().string())));
  write(images_path(), "");
  EXPECT_THAT(error(), HasSubstr("begins with 0 bytes"));
  write(images_path(), gzip(labels_content()));
  EXPECT_THAT(error(), testing::AllOf(HasSubstr("magic number at byte 0 is 0x00000801"), HasSubstr("expected 0x00000803")));
  write(images_path(), gzip(images_content().substr(0, 6)));
  EXPECT_THAT(error(), HasSubstr("the content ends at byte 6, within its header: the number of images is missing at byte 4"));
}

TEST_F(FashionMnistFiles, WrongExtentsAreRefused) {
  write(images_path(), gzip(be32(0x803) + be32(1) + be32(32) + be32(28)));
  EXPECT_THAT(error(), HasSubstr("the height at byte 8 is 32, expected 28"));
  write(images_path(), gzip(be32(0x803) + be32(1) + be32(28) + be32(29)));
  EXPECT_THAT(error(), HasSubstr("the width at byte 12 is 29, expected 28"));
  write(images_path(), gzip(be32(0x803) + be32(0) + be32(28) + be32(28)));
  EXPECT_THAT(error(), HasSubstr("no images"));
}

TEST_F(FashionMnistFiles, CountsMustAgree) {
  write(labels_path(), gzip(labels_content(4)));
  EXPECT_THAT(error(), testing::AllOf(HasSubstr("4 labels"), HasSubstr("5 images")));
}

TEST_F(FashionMnistFiles, TruncatedGzipNamesTheByte) {
  const std::string whole = gzip(images_content());
  for (const std::size_t length : {std::size_t{12}, whole.size() / 2, whole.size() - 1}) {
    write(images_path(), whole.substr(0, length));
    EXPECT_THAT(error(), testing::AllOf(HasSubstr("truncated gzip"), HasSubstr("at byte " + std::to_string(length)),
                                        HasSubstr(images_path().string())));
  }
}

TEST_F(FashionMnistFiles, TruncatedContentNamesTheRecord) {
  const std::string content = images_content();
  write(images_path(), gzip(content.substr(0, 16 + 2 * 784 + 10)));
  EXPECT_THAT(error(), HasSubstr("within image 2 of 5"));
  write_both(gzip(content), gzip(labels_content().substr(0, 8 + 3)));
  EXPECT_THAT(error(), HasSubstr("within label 3 of 5"));
}

TEST_F(FashionMnistFiles, AHugeAnnouncedCountIsNotBelieved) {
  write_both(gzip(images_content(0xffffffff)), gzip(labels_content(0xffffffff)));
  EXPECT_THAT(error(), HasSubstr("within image 5 of 4294967295"));
}

TEST_F(FashionMnistFiles, AFlippedByteIsFound) {
  std::string bytes = gzip(images_content());
  bytes[bytes.size() - 6] = static_cast<char>(bytes[bytes.size() - 6] ^ 0x10);  // within the check sum
  write(images_path(), bytes);
  EXPECT_THAT(error(), testing::AllOf(HasSubstr("data check"), HasSubstr(images_path().string())));
}

TEST_F(FashionMnistFiles, TrailingBytesAreRefused) {
  write(images_path(), gzip(images_content() + "x"));
  EXPECT_THAT(error(), HasSubstr("goes on after the 3936 bytes"));
  write(images_path(), gzip(images_content()) + "tail");
  EXPECT_THAT(error(), HasSubstr("4 bytes follow the gzip data"));
}

TEST_F(FashionMnistFiles, LabelsAreChecked) {
  write(labels_path(), gzip(be32(0x801) + be32(count) + std::string("\x09\x00\x0a\x01\x02", 5)));
  EXPECT_THAT(error(), HasSubstr("label 2 is 10, expected 0 to 9"));
}

TEST(FashionMnist, DebiansPackage) {
  const auto data = test::make_plugin<Dataset>(library, "fashion_mnist");
  try {
    data->size("train");
  } catch (const Error&) {
    GTEST_SKIP() << "Debian's package dataset-fashion-mnist is not installed";
  }
  EXPECT_EQ(data->size("train"), 60000);
  EXPECT_EQ(data->size("validation"), 10000);
  std::array<int, 10> train{}, validation{};
  for (int i = 0; i < 60000; ++i) ++train[static_cast<std::size_t>(data->get("train", i).label)];
  for (int i = 0; i < 10000; ++i) ++validation[static_cast<std::size_t>(data->get("validation", i).label)];
  EXPECT_THAT(train, testing::Each(6000));
  EXPECT_THAT(validation, testing::Each(1000));
  EXPECT_EQ(data->get("train", 0).label, 9);  // an ankle boot
}

}  // namespace
}  // namespace qfw
