#include "io/tensor_file.h"

#include <hdf5.h>

#include <numeric>

#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

template <class T>
std::pair<std::vector<hsize_t>, std::vector<T>> read(const fs::path& path, const char* name, hid_t type) {
  const hid_t file = H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), data = H5Dopen2(file, name, H5P_DEFAULT);
  const hid_t space = H5Dget_space(data);
  std::vector<hsize_t> extents(static_cast<std::size_t>(H5Sget_simple_extent_ndims(space)));
  H5Sget_simple_extent_dims(space, extents.data(), nullptr);
  std::vector<T> values(static_cast<std::size_t>(H5Sget_simple_extent_npoints(space)));
  EXPECT_GE(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
  H5Sclose(space);
  H5Dclose(data);
  H5Fclose(file);
  return {extents, values};
}

class TensorFileTest : public testing::Test {
 protected:
  test::TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "logits.h5";
};

TEST_F(TensorFileTest, WritesNamedTensors) {
  const std::vector<float> weights{1, 2, 3, 4, 5, 6};
  const std::vector<std::int32_t> counts{7, 8};
  const NamedTensor tensors[] = {{"a/weights", {{{2, 3}, DType::f32}, std::as_bytes(std::span(weights))}},
                                 {"counts", {{{2}, DType::s32}, std::as_bytes(std::span(counts))}}};
  write_tensors(path_, tensors);
  const auto [extents, values] = read<float>(path_, "a/weights", H5T_NATIVE_FLOAT);
  EXPECT_EQ(extents, (std::vector<hsize_t>{2, 3}));
  EXPECT_EQ(values, weights);
  EXPECT_EQ(read<std::int32_t>(path_, "counts", H5T_NATIVE_INT32).second, counts);
  const NamedTensor wrong[] = {{"x", {{{7}, DType::f32}, std::as_bytes(std::span(weights))}}};
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { write_tensors(path_, wrong); }), HasSubstr("24 bytes as f32[7]"));
}

TEST_F(TensorFileTest, LogitsGrowBatchByBatch) {
  constexpr std::size_t classes = 10, rows = 2500;
  std::vector<float> logits(rows * classes);
  std::iota(logits.begin(), logits.end(), 0.0f);
  std::vector<std::int32_t> labels(rows);
  std::iota(labels.begin(), labels.end(), -5);
  {
    LogitsFile file(path_, classes);
    for (std::size_t done = 0; done < rows;) {
      const std::size_t some = std::min<std::size_t>(rows - done, 1 + done % 700);
      file.append(std::span(logits).subspan(done * classes, some * classes), std::span(labels).subspan(done, some));
      file.append({}, {});
      done += some;
    }
    EXPECT_FALSE(fs::exists(path_));
    file.commit();
  }
  const auto [extents, values] = read<float>(path_, "logits", H5T_NATIVE_FLOAT);
  EXPECT_EQ(extents, (std::vector<hsize_t>{rows, classes}));
  EXPECT_EQ(values, logits);
  const auto [label_extents, label_values] = read<std::int32_t>(path_, "labels", H5T_NATIVE_INT32);
  EXPECT_EQ(label_extents, (std::vector<hsize_t>{rows}));
  EXPECT_EQ(label_values, labels);
}

TEST_F(TensorFileTest, NothingIsLeftOfWhatWasNotCommitted) {
  {
    LogitsFile file(path_, 2);
    const std::vector<float> logits{1, 2};
    const std::vector<std::int32_t> labels{1};
    file.append(logits, labels);
    EXPECT_THAT(test::message_of(Error::Category::internal, [&] { file.append(std::span(logits).first(1), labels); }),
                HasSubstr("1 logits for 1 labels of 2 classes"));
  }
  EXPECT_EQ(test::entries(folder_.path()), 0u);
  EXPECT_THROW(LogitsFile(path_, 0), Error);
  EXPECT_THROW(LogitsFile(folder_.path() / "missing" / "x.h5", 3), Error);
}

}  // namespace
}  // namespace qfw
