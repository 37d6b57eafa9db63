#include "data/labels.h"
#include "data_tools/survey.h"
#include "hdf5_files.h"

/// What is refused before training: shapes, types, counts and labels that other programs' files have, and ours may not.
namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using Labels = std::vector<std::int64_t>;

class Hdf5Checks : public test::Hdf5Files {
 protected:
  /// One split of images of this shape, zero throughout.
  template <class T>
  void store(const std::vector<hsize_t>& extents, const std::vector<T>& labels, hid_t memory, hid_t stored,
             std::vector<hsize_t> label_extents = {}, const std::vector<const char*>& class_names = {},
             hid_t element = H5T_STD_U8LE) {
    if (label_extents.empty()) label_extents = {labels.size()};
    const hid_t file = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                group = H5Gcreate2(file, "train", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    hsize_t count = 1;
    for (const hsize_t extent : extents) count *= extent;
    const std::vector<std::uint8_t> zeros(count);
    put(group, "images", element, H5T_NATIVE_UINT8, extents, zeros.data());
    put(group, "labels", stored, memory, label_extents, labels.data());
    if (!class_names.empty()) {
      const hid_t type = H5Tcopy(H5T_C_S1);
      H5Tset_size(type, H5T_VARIABLE);
      put(file, "class_names", type, type, {class_names.size()}, class_names.data());
      H5Tclose(type);
    }
    H5Gclose(group);
    H5Fclose(file);
  }
  void store(const std::vector<hsize_t>& extents) { store(extents, Labels(extents[0]), H5T_NATIVE_INT64, H5T_STD_I64LE); }
  void labelled(const Labels& labels, const std::vector<const char*>& class_names = {}) {
    store({labels.size(), 2, 2, 3}, labels, H5T_NATIVE_INT64, H5T_STD_I64LE, {}, class_names);
  }
};

TEST_F(Hdf5Checks, ChannelsComeLast) {
  store({6, 3, 32, 32});
  EXPECT_THAT(error(), AllOf(HasSubstr("[6, 3, 32, 32]"), HasSubstr("[N, C, H, W]"), HasSubstr("transpose")));
  store({6, 1, 28, 28});
  EXPECT_THAT(error(), AllOf(HasSubstr("[6, 1, 28, 28]"), HasSubstr("[N, C, H, W]")));
  store({6, 32, 32, 4});
  EXPECT_THAT(error(), AllOf(HasSubstr("[6, 32, 32, 4]"), HasSubstr("transparency")));
  store({6, 4, 32, 32});
  EXPECT_THAT(error(), HasSubstr("[N, C, H, W]"));
  store({6, 28, 28});
  EXPECT_THAT(error(), AllOf(HasSubstr("[6, 28, 28]"), HasSubstr("[N, H, W, 1]")));
  store({6, 28, 28, 2});
  EXPECT_THAT(error(), HasSubstr("2 channels"));
  store({6, 784});
  EXPECT_THAT(error(), HasSubstr("[6, 784]"));
  store({6, 0, 32, 3});
  EXPECT_THAT(error(), HasSubstr("without pixels"));
  store({6, 3, 3, 3});
  EXPECT_EQ(open()->shape(), (Shape{3, 3, 3}));
  store({6, 28, 28, 1});
  EXPECT_EQ(open()->shape(), (Shape{28, 28, 1}));
}

TEST_F(Hdf5Checks, ElementsAreBytes) {
  const std::vector<hsize_t> extents{2, 4, 4, 3};
  for (const auto& [type, told] : {std::pair{H5T_IEEE_F32LE, "32-bit float"}, {H5T_STD_I16BE, "big-endian 16-bit integer"}}) {
    store(extents, Labels{0, 0}, H5T_NATIVE_INT64, H5T_STD_I64LE, {}, {}, type);
    EXPECT_THAT(error(), AllOf(HasSubstr(told), HasSubstr("not of type uint8")));
  }
  store(extents, std::vector<std::uint8_t>{0, 0}, H5T_STD_B8LE, H5T_STD_B8LE);
  EXPECT_THAT(error(), AllOf(HasSubstr("train/labels"), HasSubstr("bit field")));
}

TEST_F(Hdf5Checks, CountsMustAgree) {
  write({}, H5T_STD_U8LE, true, {0, 1});
  EXPECT_THAT(error(), HasSubstr("2 labels for 7 pictures"));
  store({4, 8, 8, 3}, Labels(12), H5T_NATIVE_INT64, H5T_STD_I64LE, {4, 3});
  EXPECT_THAT(error(), AllOf(HasSubstr("[4, 3]"), HasSubstr("one-hot")));
  store({4, 8, 8, 3}, Labels{0, 1, 0, 1}, H5T_NATIVE_INT64, H5T_STD_I64LE, {4, 1});
  EXPECT_EQ(open()->get("train", 3).label, 1);
  store({0, 8, 8, 3});
  EXPECT_THAT(error(), HasSubstr("not one labelled example"));
}

TEST_F(Hdf5Checks, ALabelOutOfRangeIsNamed) {
  labelled({0, 1, 2, 0, 1, 255});
  EXPECT_THAT(error(), AllOf(HasSubstr("label 255 of example 5"), HasSubstr("train/labels"), HasSubstr("class_names")));
  labelled({0, 4'294'967'295, 2, 0, 1, 2});
  EXPECT_THAT(error(), HasSubstr("label 4294967295 of example 1"));
  labelled({0, 1, -1, 2});
  EXPECT_THAT(error(), HasSubstr("label -1 of example 2"));
  labelled({0, 1, 2, 9'000'000'000'000'000'000});
  EXPECT_THAT(error(), HasSubstr("element 3 is 9000000000000000000"));
  labelled({0, 1, 2, 3}, {"a", "b", "c"});
  EXPECT_THAT(error(), AllOf(HasSubstr("label 3 of example 3"), HasSubstr("there are 3 class names")));
  labelled({0, 2, 4}, {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"});
  EXPECT_EQ(open()->classes(), 10);
  labelled({0, 1, 3, 4});  // class 2 has no example here
  EXPECT_EQ(open()->classes(), 5);
}

TEST_F(Hdf5Checks, ASplitWithoutLabelsIsRead) {
  labelled({-1, -1, -1}, {"a", "b"});
  const auto dataset = open();
  EXPECT_EQ(dataset->get("train", 2).label, -1);
  const Survey found = survey(*dataset, "train", Depth::decode, 1);
  EXPECT_EQ(found.unlabelled, 3);
  EXPECT_EQ(found.bad, 0);
  EXPECT_THAT(found.encodings, testing::ElementsAre(testing::Pair("pixels", 3)));
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { require_labels(*dataset, "train"); }),
              HasSubstr("split train has no labels"));
}

TEST_F(Hdf5Checks, ManyClassesAreTaken) {
  Labels all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  store({256, 2, 2, 3}, all, H5T_NATIVE_INT64, H5T_STD_U8LE);
  EXPECT_EQ(open()->classes(), 256);
  labelled({0, 0, 0});
  EXPECT_EQ(open()->classes(), 1);
}

TEST_F(Hdf5Checks, FloatsAreTakenAsLabelsIfTheyAreWhole) {
  store({3, 2, 2, 3}, std::vector<double>{0, 2, 1}, H5T_NATIVE_DOUBLE, H5T_IEEE_F64BE);
  EXPECT_EQ(open()->get("train", 1).label, 2);
  store({3, 2, 2, 3}, std::vector<double>{0, std::nan(""), 1}, H5T_NATIVE_DOUBLE, H5T_IEEE_F32LE);
  EXPECT_THAT(error(), HasSubstr("element 1 is nan"));
  store({3, 2, 2, 3}, std::vector<double>{0, 1, 0.5}, H5T_NATIVE_DOUBLE, H5T_IEEE_F32LE);
  EXPECT_THAT(error(), HasSubstr("element 2 is 0.5"));
}

TEST_F(Hdf5Checks, ClassNamesAreText) {
  labelled({0, 1}, {"ant", "bee"});
  EXPECT_EQ(open()->class_name(1), "bee");
  labelled({0, 1}, {"ant", "b\xe9"});
  EXPECT_THAT(error(), AllOf(HasSubstr("class 1"), HasSubstr("UTF-8")));
}

TEST_F(Hdf5Checks, IdentityIsOfWhatIsInTheFile) {
  labelled({0, 1, 2});
  const auto first = open()->identity("train");
  EXPECT_EQ(open()->identity("train").storage, first.storage);
  const std::string bytes = test::contents(path());
  test::store(path(), bytes);
  EXPECT_EQ(open()->identity("train").content, first.content);
  EXPECT_NE(open()->identity("train").storage, first.storage);
  labelled({0, 1, 1});
  EXPECT_NE(open()->identity("train").content, first.content);
  labelled({0, 1, 2}, {"a", "b", "c"});
  EXPECT_NE(open()->identity("train").content, first.content);
}

}  // namespace
}  // namespace qfw
