#include "image_folders.h"

namespace qfw {
namespace {

using test::ImageFolders;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

using Labels = std::vector<std::int64_t>;

class LabelLists : public ImageFolders {
 protected:
  void classes(const std::vector<std::string>& names) {
    for (const std::string& name : names) add("train/" + name + "/a.jpg");
  }
  void pictures(const std::vector<std::string>& names) {
    for (const std::string& name : names) add("val/" + name);
  }
  Labels labels(const std::string& text, const std::string& labels_are = "auto") const {
    test::store(folder_.path() / "labels.csv", text);
    const auto dataset = open("labels.csv", labels_are);
    Labels found;
    for (std::int64_t i = 0; i < dataset->size("validation"); ++i) found.push_back(dataset->get("validation", i).label);
    return found;
  }
  std::string error(const std::string& text, const std::string& labels_are = "auto") const {
    return data_error([&] { labels(text, labels_are); });
  }
};

TEST_F(LabelLists, TitlesCommentsAndByteOrderMarksArePassedOver) {
  classes({"ant", "bee", "cat"});
  pictures({"v0.jpg", "v1.jpg", "v2.jpg"});
  const std::string rows = "v0.jpg,2\nv1.jpg,0\nv2.jpg,1\n";
  for (const std::string& text : {rows, "filename,label\n" + rows, "Image Id;Class\n" + rows, "\xef\xbb\xbf" + rows,
                                  "\xef\xbb\xbf"
                                  "file\tlabel\n" +
                                      rows,
                                  "# of mine\n" + rows, "\n\n#\n \n" + rows + "\n# end\n"}) {
    EXPECT_THAT(labels(text), ElementsAre(2, 0, 1)) << text;
  }
  EXPECT_THAT(labels("label\ncat\nant\nbee\n"), ElementsAre(2, 0, 1));
  EXPECT_THAT(labels("v0.jpg,2\r\nv1.jpg,0\r\nv2.jpg,1"), ElementsAre(2, 0, 1));
  EXPECT_THAT(labels("v0.jpg,2\rv1.jpg,0\rv2.jpg,1\r"), ElementsAre(2, 0, 1));
}

TEST_F(LabelLists, FieldsMayBeQuotedHoldBlanksAndChangePlaces) {
  classes({"crane, bird", "golden retriever", "plain"});
  pictures({"a b.jpg", "a.jpg", "c,d.jpg"});
  const Labels expected{1, 2, 0};
  EXPECT_EQ(labels("\"a b.jpg\",\"golden retriever\"\n\"a.jpg\",\"plain\"\n\"c,d.jpg\",\"crane, bird\"\n"), expected);
  EXPECT_EQ(labels("a b.jpg golden retriever\na plain\nc,d.jpg\tcrane, bird\n"), expected);
  EXPECT_EQ(labels("val/a b.jpg;golden retriever\n./val/a.jpg;plain\n/data/val/c,d.jpg;crane, bird\n"), expected);
  EXPECT_EQ(labels("label,file\ngolden retriever,a b.jpg\nplain,a.jpg\n\"crane, bird\",\"c,d.jpg\"\n"), expected);
}

TEST_F(LabelLists, NamesOrPlacesIsDecidedOnceForAll) {
  classes({"1", "10", "2"});
  pictures({"v0.jpg", "v1.jpg", "v2.jpg"});
  EXPECT_THAT(labels("1\n2\n10\n"), ElementsAre(0, 2, 1)) << "10 is no place";
  EXPECT_THAT(labels("0\n1\n2\n"), ElementsAre(0, 1, 2)) << "0 is no name";
  EXPECT_THAT(error("1\n2\n2\n"), AllOf(HasSubstr("labels.csv:1"), HasSubstr("ambiguous"), HasSubstr("class 1 by name"),
                                        HasSubstr("class 10 by place"), HasSubstr("validation_labels_are")));
  EXPECT_THAT(labels("1\n2\n2\n", "names"), ElementsAre(0, 2, 2));
  EXPECT_THAT(labels("1\n2\n2\n", "places"), ElementsAre(1, 2, 2));
  EXPECT_THAT(error("0\n1\n10\n"), HasSubstr("labels.csv"));
  EXPECT_THAT(error("0\n1\n2\n", "names"), AllOf(HasSubstr("labels.csv:1"), HasSubstr("\"0\" is not the name of a class")));
  EXPECT_THAT(error("1\n2\n10\n", "places"), AllOf(HasSubstr("labels.csv:3"), HasSubstr("label 10 of 3 classes")));
}

TEST_F(LabelLists, WhereNamesAreThePlacesNothingIsAmbiguous) {
  classes({"0", "1", "2"});
  pictures({"v0.jpg", "v1.jpg", "v2.jpg"});
  EXPECT_THAT(labels("2\n0\n1\n"), ElementsAre(2, 0, 1));
}

TEST_F(LabelLists, NumbersWithoutFoldersOfClassesAreTheirOwnNames) {
  pictures({"v0.jpg", "v1.jpg"});
  EXPECT_THAT(labels("11\n2\n"), ElementsAre(11, 2)) << "not 1, 10, 11, 2";
  EXPECT_THAT(error("2000000000\n1\n"), AllOf(HasSubstr("labels.csv:1"), HasSubstr("2000000000")));
}

TEST_F(LabelLists, ListsWithoutPicturesAreRefused) {
  std::filesystem::create_directories(root() / "val");
  EXPECT_THAT(error("0\n1\n"), HasSubstr("validation has no image files"));
  add("val/ant/1.jpg");
  EXPECT_THAT(error("0\n1\n"), HasSubstr("leave out dataset.validation_labels"));
  add("train/ant/1.jpg");
  EXPECT_THAT(error("0\n"), HasSubstr("leave out dataset.validation_labels"));
}

TEST_F(LabelLists, ForeignTextIsNamed) {
  classes({"ant", "bee"});
  pictures({"v0.jpg", "v1.jpg"});
  EXPECT_THAT(error(std::string("\xff\xfev\0000\0", 6)), HasSubstr("UTF-16"));
  EXPECT_THAT(error(std::string("\xfe\xff\0v\0000", 6)), HasSubstr("UTF-16"));
  EXPECT_THAT(error(std::string("v\0000\0", 4)), HasSubstr("bytes of 0"));
  EXPECT_THAT(error("# nothing\n\n"), HasSubstr("is empty"));
  EXPECT_THAT(error("v0.jpg,ant\nv1.jpg,bee,0.5\n"), AllOf(HasSubstr("labels.csv:2"), HasSubstr("\"bee,0.5\"")));
  EXPECT_THAT(error("v0.jpg,ant\nv9.jpg,bee\n"), AllOf(HasSubstr("labels.csv:2"), HasSubstr("v9.jpg,bee")));
  EXPECT_THAT(error("v9.jpg,ant\nv1.jpg,bee\n"), AllOf(HasSubstr("labels.csv:1"), HasSubstr("v9.jpg,ant"))) << "no titles";
}

}  // namespace
}  // namespace qfw
