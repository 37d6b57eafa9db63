#include "image_folders.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

using test::ImageFolders;

TEST_F(ImageFolders, AreOrderedAsTorchvisionDoes) {
  for (const char* path : {"train/b/2.JPEG", "train/b/10.jpg", "train/a/z.png", "train/a/sub/a.jpeg", "train/a/sub.x/k.Jpg",
                           "train/a/A.jpg", "train/c/only.jpg", "val/c/v.jpg"}) {
    add(path);
  }
  test::store(root() / "train/a/notes.txt", "not an image");
  test::store(root() / "train/readme.jpg", "a file beside the classes is none of theirs");
  const auto dataset = open();
  EXPECT_EQ(dataset->classes(), 3);
  EXPECT_EQ(dataset->class_name(1), "b");
  EXPECT_THAT(dataset->splits(), ElementsAre("train", "validation"));
  EXPECT_THAT(listed(*dataset, "train"),
              ElementsAre("0 train/a/A.jpg", "0 train/a/z.png", "0 train/a/sub/a.jpeg", "0 train/a/sub.x/k.Jpg",
                          "1 train/b/10.jpg", "1 train/b/2.JPEG", "2 train/c/only.jpg"));
  EXPECT_THAT(listed(*dataset, "validation"), ElementsAre("2 val/c/v.jpg"));
  EXPECT_EQ(dataset->get("train", 0).name, "A.jpg");
}

TEST_F(ImageFolders, EncodingIsToldByContent) {
  test::store(root() / "train/a/a.JPEG", test::encoded_item(1, 0, "", Example::Encoding::png).bytes);
  EXPECT_EQ(open()->get("train", 0).encoding, Example::Encoding::png);
}

TEST_F(ImageFolders, HugeFilesAskForNoMemory) {
  add("train/a/1.jpg");
  add("train/a/2.jpg");
  fs::resize_file(root() / "train/a/2.jpg", std::uintmax_t{1} << 40);  // sparse
  const auto dataset = open();
  EXPECT_EQ(dataset->get("train", 0).label, 0);
  EXPECT_THAT(data_error([&] { dataset->get("train", 1); }), AllOf(HasSubstr("at most 1073741824"), HasSubstr("2.jpg")));
  add("val/v.jpg");
  test::store(folder_.path() / "labels.txt", "a\n");
  fs::resize_file(folder_.path() / "labels.txt", std::uintmax_t{1} << 40);
  EXPECT_THAT(data_error([&] { open("labels.txt")->size("validation"); }),
              AllOf(HasSubstr("at most 67108864"), HasSubstr("labels.txt")));
}

TEST_F(ImageFolders, LinksAreFollowedAndCirclesFound) {
  add("elsewhere/x.jpg");
  add("train/a/1.jpg");
  fs::create_directory_symlink(root() / "elsewhere", root() / "train/b");
  EXPECT_THAT(listed(*open(), "train"), ElementsAre("0 train/a/1.jpg", "1 train/b/x.jpg"));
  fs::create_directory_symlink(root() / "train/a", root() / "train/a/again");
  EXPECT_THAT(data_error([&] { open()->size("train"); }), AllOf(HasSubstr("32 deep"), HasSubstr("again")));
}

TEST_F(ImageFolders, AFlatFolderTakesALabelList) {
  for (const char* path :
       {"train/n01/a.jpg", "train/n02/a.jpg", "train/n03/a.jpg", "val/v1.JPEG", "val/v2.JPEG", "val/v3.JPEG"})
    add(path);
  const auto labels = [&](const std::string& text) {
    test::store(folder_.path() / "labels.txt", text);
    const auto dataset = open("labels.txt");
    return std::vector{dataset->get("validation", 0).label, dataset->get("validation", 1).label,
                       dataset->get("validation", 2).label};
  };
  EXPECT_THAT(labels("2\n0\n1\n"), ElementsAre(2, 0, 1));
  EXPECT_THAT(labels("n03\r\n\r\nn01\r\nn01"), ElementsAre(2, 0, 0));
  EXPECT_THAT(labels("v3.JPEG n01\nv1.JPEG n03\nv2 n02\n"), ElementsAre(2, 1, 0));
  EXPECT_THAT(labels("v3,n01\nv1, n01\nv2\tn02\n"), ElementsAre(0, 1, 0));
}

TEST_F(ImageFolders, WrongLabelListsNameTheLine) {
  for (const char* path : {"train/n01/a.jpg", "train/n02/a.jpg", "val/v1.jpg", "val/v2.jpg"}) add(path);
  const auto error = [&](const std::string& text) {
    test::store(folder_.path() / "labels.txt", text);
    return data_error([&] { open("labels.txt")->size("validation"); });
  };
  EXPECT_THAT(error("0\n2\n"), AllOf(HasSubstr("labels.txt:2"), HasSubstr("label 2 of 2 classes"), HasSubstr("count")));
  EXPECT_THAT(error("v1 0\nv2 1x\n"), AllOf(HasSubstr("labels.txt:2"), HasSubstr("\"1x\""), HasSubstr("in \"v2 1x\"")));
  EXPECT_THAT(error("0\nn09\n"), AllOf(HasSubstr("labels.txt:2"), HasSubstr("\"n09\"")));
  EXPECT_THAT(error("0\n-1\n"), HasSubstr("label -1"));
  EXPECT_THAT(error("0\n"), HasSubstr("1 labels for the 2 images"));
  EXPECT_THAT(error("v1 0\nv1.jpg 1\n"), AllOf(HasSubstr(":2"), HasSubstr("has a label already")));
  EXPECT_THAT(error("v1 0\n"), AllOf(HasSubstr("v2.jpg has no label")));
  EXPECT_THAT(error("v1 0\nv7 1\n"), AllOf(HasSubstr("labels.txt:2"), HasSubstr("\"v7 1\" names no image")));
  EXPECT_THAT(error("\n \n"), HasSubstr("is empty"));
  EXPECT_THAT(data_error([&] {
                open("nowhere.txt");
                open("nowhere.txt")->size("validation");
              }),
              HasSubstr("nowhere.txt"));
}

TEST_F(ImageFolders, AFlatFolderAloneTakesItsClassesFromTheList) {
  add("val/1.jpg");
  add("val/2.jpg");
  test::store(folder_.path() / "labels.txt", "bee\nant\n");
  EXPECT_EQ(open("labels.txt")->classes(), 2);
  EXPECT_THAT(listed(*open("labels.txt"), "validation"), ElementsAre("1 val/1.jpg", "0 val/2.jpg"));
  test::store(folder_.path() / "labels.txt", "7\n2\n");
  EXPECT_EQ(open("labels.txt")->classes(), 8);
}

TEST_F(ImageFolders, UnfitFoldersSayWhatIsExpected) {
  EXPECT_THAT(data_error([&] { open(); }), AllOf(HasSubstr("no such folder"), HasSubstr("dataset.data_dir")));
  fs::create_directories(root());
  EXPECT_THAT(data_error([&] { open(); }), HasSubstr("the folder is empty"));
  fs::create_directories(root() / "cats");
  fs::create_directories(root() / "dogs");
  EXPECT_THAT(data_error([&] { open(); }),
              AllOf(HasSubstr("no split"), HasSubstr("what is there: cats, dogs"), HasSubstr("train/CLASS")));
  fs::create_directories(root() / "dogs/train");
  EXPECT_THAT(data_error([&] { open(); }),
              AllOf(HasSubstr("the folder below"), HasSubstr("dataset.data_dir = " + (root() / "dogs").string())));
  add("train/flat.jpg");
  EXPECT_THAT(data_error([&] { open(); }),
              AllOf(HasSubstr("split train has no folders of classes"), HasSubstr("1 pictures lie in the folder itself")));
  add("train/a/1.jpg");
  add("val/b/1.jpg");
  EXPECT_THAT(data_error([&] { open()->size("validation"); }), AllOf(HasSubstr("folder b is not among the 1 classes")));
  fs::create_directories(root() / "validation");
  EXPECT_THAT(data_error([&] { open(); }), HasSubstr("both val and validation"));
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { test::make_plugin<Dataset>(library, "image_folder"); }),
              HasSubstr("data_dir is not set"));
}

TEST_F(ImageFolders, BadFilesAreNamed) {
  add("train/a/0.jpg");
  test::store(root() / "train/a/1.jpg", std::string());
  test::store(root() / "train/a/2.jpg", std::string("GIF89a"));
  fs::create_symlink(root() / "nowhere.jpg", root() / "train/a/3.jpg");
  add("train/a/4.jpg");
  const auto dataset = open();
  ASSERT_EQ(dataset->size("train"), 5);
  EXPECT_THAT(data_error([&] { dataset->get("train", 1); }), AllOf(HasSubstr("is empty"), HasSubstr("a/1.jpg")));
  EXPECT_THAT(data_error([&] { dataset->get("train", 2); }), AllOf(HasSubstr("6 bytes are neither"), HasSubstr("a/2.jpg")));
  EXPECT_THAT(data_error([&] { dataset->get("train", 3); }), AllOf(HasSubstr("No such file"), HasSubstr("a/3.jpg")));
  fs::remove(root() / "train/a/4.jpg");
  EXPECT_THAT(data_error([&] { dataset->get("train", 4); }), HasSubstr("a/4.jpg"));
  EXPECT_NO_THROW(dataset->get("train", 0));
}

class ImageFolderWriters : public ImageFolders {
 protected:
  ImageFolderWriters() {
    for (int i = 0; i < 4; ++i) source_.items["train"].push_back(test::encoded_item(i, i % 3, std::to_string(i) + ".jpg"));
  }
  void convert(const Settings& settings = {}) {
    const auto writer = test::make_plugin<DatasetWriter>(library, "image_folder", settings);
    qfw::convert(source_, *writer, {.folder = root(), .splits = {"train"}, .workers = 1});
  }
  test::MemoryDataset source_;
};

TEST_F(ImageFolderWriters, FoldersSortAsTheLabelsDo) {
  source_.class_names = {"T-shirt/top", "Ankle boot", "Bag"};
  convert();
  const auto dataset = open();
  EXPECT_EQ(dataset->class_name(0), "0_T-shirt_top");
  EXPECT_EQ(dataset->class_name(2), "2_Bag");
  auto expected = source_.items["train"];
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(test::all_of(*dataset, "train"), expected);
}

TEST_F(ImageFolderWriters, NumberedClassesGetEqualWidths) {
  source_.class_names.clear();
  for (int i = 0; i < 12; ++i) source_.class_names.push_back(std::to_string(i));
  convert();
  EXPECT_EQ(open()->class_name(2), "02");
  EXPECT_EQ(open()->classes(), 12) << "classes without examples are listed, too";
  fs::remove_all(root() / "train/05");
  EXPECT_EQ(open()->classes(), 12);
  test::store(root() / ".qfw_classes", std::string("b\na\n"));
  EXPECT_THAT(data_error([&] { open(); }), AllOf(HasSubstr("not sorted"), HasSubstr(".qfw_classes")));
}

TEST_F(ImageFolderWriters, NamesCannotLeaveTheFolderOrCollide) {
  source_.items["train"][0].name = "../../../evil.jpg";
  source_.items["train"][1].name = "a\nb.jpg";
  source_.items["train"][2].name = "..";
  convert();
  EXPECT_THAT(listed(*open(), "train"),
              ElementsAre("0 train/ant/3.jpg", "0 train/ant/evil.jpg", "1 train/bee/a_b.jpg", "2 train/cat/_...jpg"));
}

TEST_F(ImageFolderWriters, TwoOfOneNameAreAnError) {
  source_.items["train"][3].name = "0.jpg";  // of the same class as the first
  EXPECT_THAT(data_error([&] { convert(); }), AllOf(HasSubstr("two examples have this name"), HasSubstr("ant/0.jpg")));
  EXPECT_THAT(data_error([&] { convert({{"part_examples", std::int64_t{1024}}}); }), HasSubstr("two examples have this name"));
}

TEST_F(ImageFolderWriters, OtherThingsAreNotOverwritten) {
  convert();
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 convert({{"quality", std::int64_t{7}}});
                               }),
              HasSubstr("something already"));
  fs::remove_all(root());
  source_.fails_at = 3;
  EXPECT_THROW(convert({{"part_examples", std::int64_t{2}}}), Error);
  EXPECT_THAT(test::message_of(Error::Category::usage,
                               [&] {
                                 convert({{"part_examples", std::int64_t{3}}});
                               }),
              HasSubstr("other settings"));
}

}  // namespace
}  // namespace qfw
