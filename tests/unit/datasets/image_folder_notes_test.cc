#include <sys/stat.h>

#include "image_folders.h"

namespace qfw {
namespace {

using test::ImageFolders;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
namespace fs = std::filesystem;

class ImageFolderNotes : public ImageFolders {
 protected:
  ImageFolderNotes() {
    for (const char* path : {"train/a/1.jpg", "train/b/1.jpg", "val/a/1.jpg", "val/b/1.jpg"}) add(path);
  }
  std::vector<std::string> notes(const std::string& split = "train") const { return open()->notes(split); }
};

TEST_F(ImageFolderNotes, NothingOddIsNotNoted) {
  test::store(root() / "README.md", "about");
  test::store(root() / "train/labels.csv", "a table");
  test::store(root() / "train/a/boxes.txt", "other data");
  add("train/a/images/2.jpg");
  fs::create_directories(root() / "meta");
  EXPECT_THAT(notes(), IsEmpty());
  EXPECT_THAT(notes("validation"), IsEmpty());
}

TEST_F(ImageFolderNotes, WhatSystemsLeaveBehindIsSkipped) {
  for (const char* folder : {".ipynb_checkpoints", "__MACOSX", "lost+found", "@eaDir", "$RECYCLE.BIN", ".git"}) {
    add(std::string("train/") + folder + "/1.jpg");
    add(std::string("train/a/") + folder + "/1.jpg");
  }
  for (const char* file : {"._1.jpg", ".DS_Store", ".hidden.png"}) add(std::string("train/a/") + file);
  for (const char* file : {"Thumbs.db", "desktop.ini", "train/Thumbs.db", "train/.DS_Store"}) test::store(root() / file, "x");
  fs::create_directories(root() / "val/.ipynb_checkpoints");
  EXPECT_EQ(open()->classes(), 2);
  EXPECT_THAT(listed(*open(), "train"), ElementsAre("0 train/a/1.jpg", "1 train/b/1.jpg"));
  EXPECT_THAT(notes(), IsEmpty());
  EXPECT_THAT(notes("validation"), IsEmpty());
}

TEST_F(ImageFolderNotes, PicturesThatAreNotReadAreCountedByExtension) {
  for (const char* file : {"x.bmp", "y.BMP", "z.TIFF", "w.gif", "u.heic", "n01440764_1"})
    test::store(root() / "train/a" / file, "?");
  EXPECT_THAT(notes(),
              ElementsAre(AllOf(HasSubstr("6 of 8 files"), HasSubstr("2 .bmp"), HasSubstr("1 .tiff"), HasSubstr("1 .gif"),
                                HasSubstr("1 .heic"), HasSubstr("1 without an extension"), HasSubstr("read are 2 .jpg"))));
  EXPECT_THAT(notes("validation"), IsEmpty());
}

TEST_F(ImageFolderNotes, EmptyFoldersAreNoClasses) {
  fs::create_directories(root() / "train/A");
  fs::create_directories(root() / "train/z/deeper");
  test::store(root() / "train/z/x.tif", "?");
  EXPECT_EQ(open()->classes(), 2);
  EXPECT_EQ(open()->class_name(0), "a");
  EXPECT_THAT(notes(), ElementsAre(HasSubstr("1 .tif"), AllOf(HasSubstr("2 of the folders"), HasSubstr("no classes: A, z"))));
}

TEST_F(ImageFolderNotes, ClassesThatValidationLacksAreNamed) {
  add("train/c/1.jpg");
  add("train/d/1.jpg");
  fs::create_directories(root() / "val/c");
  EXPECT_THAT(notes("validation"), ElementsAre(AllOf(HasSubstr("2 of 4 classes"), HasSubstr("val: c, d"))));
  fs::create_directories(root() / "train/e");
  add("val/e/1.jpg");
  EXPECT_THAT(data_error([&] { open()->size("validation"); }),
              AllOf(HasSubstr("e is not among the 4 classes"), HasSubstr("train")));
}

TEST_F(ImageFolderNotes, FilesBesideTheClassesAreCounted) {
  add("train/loose.jpg");
  test::store(root() / "train/n01440764.tar", "an archive");
  test::store(root() / "train/c", "a file where a folder should be");
  EXPECT_THAT(notes(), ElementsAre(AllOf(HasSubstr("3 files"), HasSubstr("1 .tar"), HasSubstr("1 without an extension"),
                                         HasSubstr("1 .jpg"), HasSubstr("the first is loose.jpg"))));
}

TEST_F(ImageFolderNotes, ClassesThatHoldOtherClassesAreNamed) {
  add("train/b/sub/2.jpg");  // beside a picture of its own
  add("train/all/cat/1.jpg");
  add("train/all/dog/1.jpg");
  EXPECT_THAT(notes(), ElementsAre(AllOf(HasSubstr("1 of 3 classes"), HasSubstr("several folders below"), HasSubstr("all"))));
}

TEST_F(ImageFolderNotes, FoldersOfOtherNamesAreNamedWhereASplitIsMissing) {
  fs::rename(root() / "val", root() / "Val");
  EXPECT_THAT(notes(), ElementsAre(AllOf(HasSubstr("no validation split"), HasSubstr("Val"))));
  fs::rename(root() / "Val", root() / "valid");
  EXPECT_THAT(open()->splits(), ElementsAre("train", "validation"));
  EXPECT_THAT(notes(), IsEmpty());
  add("val/a/1.jpg");
  EXPECT_THAT(data_error([&] { open(); }), HasSubstr("both val and valid"));
}

TEST_F(ImageFolderNotes, FlatFolders) {
  add("test/1.jpg");
  add("test/2.jpg");
  EXPECT_THAT(open()->splits(), ElementsAre("train", "validation"));
  EXPECT_THAT(notes(), ElementsAre(AllOf(HasSubstr("test"), HasSubstr("without labels it is no split"))));
  fs::remove_all(root() / "val");
  for (const char* path : {"val/1.jpg", "val/2.jpg", "val/3.jpg"}) add(path);
  EXPECT_THAT(data_error([&] { open(); }), AllOf(HasSubstr("3 pictures lie in the folder itself"),
                                                 HasSubstr("no folders of classes"), HasSubstr("dataset.validation_labels")));
  add("test/a/1.jpg");
  test::store(folder_.path() / "labels.txt", "0\n0\n0\n");
  EXPECT_THAT(open("labels.txt")->splits(), ElementsAre("train", "validation", "test"));
  const auto without_b = AllOf(HasSubstr("1 of 2 classes"), HasSubstr(": b"));
  EXPECT_THAT(open("labels.txt")->notes("validation"), ElementsAre(without_b));
  add("val/more/4.jpg");
  EXPECT_THAT(open("labels.txt")->notes("validation"),
              ElementsAre(without_b, AllOf(HasSubstr("1 folders"), HasSubstr(": more"))));
}

TEST_F(ImageFolderNotes, PipesAreNoPictures) {
  ASSERT_EQ(mkfifo((root() / "train/a/2.jpg").c_str(), 0600), 0);
  EXPECT_THAT(data_error([&] { open()->get("train", 1); }), HasSubstr("a/2.jpg"));
}

TEST_F(ImageFolderNotes, UnreadableFoldersAreNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read everything";
  fs::permissions(root() / "train/b", fs::perms::none);
  EXPECT_THAT(data_error([&] { open(); }), AllOf(HasSubstr("cannot read the folder"), HasSubstr("train/b")));
  fs::permissions(root() / "train/b", fs::perms::owner_all);
}

class ImageFolderIdentity : public ImageFolderNotes {
 protected:
  Dataset::Identity identity() const { return open()->identity("train"); }
};

TEST_F(ImageFolderIdentity, TellsWhatChanged) {
  const Dataset::Identity before = identity();
  ASSERT_TRUE(before.storage);
  EXPECT_EQ(identity().content, before.content);
  EXPECT_EQ(identity().storage, before.storage);

  fs::copy(root(), folder_.path() / "copy", fs::copy_options::recursive);
  const auto copy = test::make_plugin<Dataset>(library, "image_folder", {{"data_dir", (folder_.path() / "copy").string()}});
  EXPECT_EQ(copy->identity("train").content, before.content) << "the same elsewhere";
  EXPECT_NE(copy->identity("train").storage, before.storage);

  const auto time = fs::last_write_time(root() / "train/b/1.jpg");
  std::string bytes = test::contents(root() / "train/b/1.jpg");
  bytes.back() ^= 1;
  test::store(root() / "train/b/1.jpg", bytes);
  fs::last_write_time(root() / "train/b/1.jpg", time);
  EXPECT_EQ(identity().content, before.content);
  EXPECT_NE(identity().storage, before.storage) << "other bytes, and the same size and time";

  const auto rewritten = identity();
  test::store(root() / "train/b/1.jpg", bytes + "x");
  EXPECT_NE(identity().content, rewritten.content) << "another size";
  fs::rename(root() / "train/b", root() / "train/c");
  EXPECT_NE(identity().content, rewritten.content) << "another class";
}

TEST_F(ImageFolderIdentity, OfOneSplitIsNotTouchedByTheOther) {
  const Dataset::Identity before = identity();
  add("val/a/2.jpg");
  EXPECT_EQ(identity().content, before.content);
  EXPECT_EQ(identity().storage, before.storage);
  EXPECT_NE(open()->identity("validation").content, before.content);
}

}  // namespace
}  // namespace qfw
