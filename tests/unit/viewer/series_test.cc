#include <fmt/format.h>

#include "support.h"
#include "viewer/layer_course.h"
#include "viewer/series_course.h"

namespace qfw::viewer {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::string_view header =
    "step,seconds,images_per_second,loss,accuracy,learning_rate,eval_loss,eval_accuracy,eval_top5\n";

class SeriesTest : public testing::Test {
 protected:
  std::vector<double> steps() {
    series_.refresh(folder_);
    return test::numbers(series_.training().since(0).at("step"));
  }
  static std::string line(int step, double loss = 1) { return fmt::format("{},{},100,{},0.5,0.1,,,\n", step, step * 2, loss); }

  test::TemporaryFolder temporary_;
  Folder folder_{temporary_.path()};
  std::filesystem::path file_ = temporary_.path() / "series.csv";
  SeriesCourse series_;
};

TEST_F(SeriesTest, FollowsAGrowingFileLineByLine) {
  EXPECT_EQ(series_.refresh(folder_), nullptr);
  test::write_file(file_, std::string(header));
  EXPECT_THAT(steps(), ElementsAre());
  test::append_file(file_, line(1) + "2,4,1");
  EXPECT_THAT(steps(), ElementsAre(1));
  test::append_file(file_, "00,1,0.5,0.1,,,\n2,4,,,,,0.7,0.8,0.9\n");
  EXPECT_THAT(steps(), ElementsAre(1, 2));
  EXPECT_THAT(test::numbers(series_.evaluations().since(0).at("mean").at("eval_accuracy")), ElementsAre(0.8));
  EXPECT_EQ(series_.problem(), "");
}

TEST_F(SeriesTest, SaysHowATableEndsThatNobodyWritesTo) {
  const auto ending = [&](const std::string& text) {
    test::write_file(file_, text);
    series_.refresh(folder_);
    EXPECT_EQ(fault_of_table(*folder_.open("series.csv"), SeriesCourse::needed_columns), series_.ending()) << text;
    return series_.ending();
  };
  EXPECT_EQ(ending(""), "it is empty");
  EXPECT_EQ(ending(std::string("\0\xff{", 3)), "it is no table: it has no whole line");
  EXPECT_EQ(ending("step,sec"), "it is no table: it has no whole line");
  EXPECT_EQ(ending(std::string(header) + line(1) + "2,4"), "its last line is cut off");
  EXPECT_EQ(ending(std::string(header)), "");
  EXPECT_EQ(ending(std::string(header) + line(1)), "");
}

/// A run that goes on from a checkpoint cuts what lies beyond it, and may be as long again before anyone looks.
TEST_F(SeriesTest, NoticesAFileThatWasCutAndGrewAgain) {
  test::write_file(file_, std::string(header) + line(1) + line(2) + line(3));
  EXPECT_THAT(steps(), ElementsAre(1, 2, 3));
  const auto generation = series_.training().generation();
  std::filesystem::resize_file(file_, header.size() + line(1).size());
  test::append_file(file_, line(2, 5) + line(3, 6) + line(4, 7));
  EXPECT_THAT(steps(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(test::numbers(series_.training().since(0).at("mean").at("loss")), ElementsAre(1, 5, 6, 7));
  EXPECT_NE(series_.training().generation(), generation);
}

TEST_F(SeriesTest, NoticesAFileThatWasReplacedOrRemoved) {
  test::write_file(file_, std::string(header) + line(1) + line(2));
  EXPECT_THAT(steps(), ElementsAre(1, 2));
  test::write_file(temporary_.path() / "other", std::string(header) + line(7) + line(8) + line(9));
  std::filesystem::rename(temporary_.path() / "other", file_);
  EXPECT_THAT(steps(), ElementsAre(7, 8, 9));
  std::filesystem::remove(file_);
  EXPECT_THAT(steps(), ElementsAre());
}

TEST_F(SeriesTest, CountsLinesThatAreNone) {
  test::write_file(file_,
                   std::string(header) + line(1) + "garbage\n,,,\n3,1,2\n" + line(1) + "5,nan,inf,nan,nan,nan,,,\n" + line(6));
  EXPECT_THAT(steps(), ElementsAre(1, 6));
  EXPECT_THAT(series_.problem(), HasSubstr("5 lines"));
}

TEST_F(SeriesTest, FindsColumnsByName) {
  test::write_file(file_, "loss,extra,step\n0.5,x,10\n0.25,y,20\n");
  EXPECT_THAT(steps(), ElementsAre(10, 20));
  EXPECT_THAT(test::numbers(series_.training().since(0).at("mean").at("loss")), ElementsAre(0.5, 0.25));
}

TEST_F(SeriesTest, RefusesWhatIsNoSeries) {
  test::write_file(file_, "once,upon,a,time\n1,2,3,4\n");
  EXPECT_THROW(series_.refresh(folder_), FileProblem);
  test::write_file(file_, std::string(3 << 20, 'x'));
  EXPECT_THROW(series_.refresh(folder_), FileProblem);
}

TEST_F(SeriesTest, AMillionLinesAreAFewThousandPoints) {
  std::string text(header);
  for (int step = 1; step <= 1'000'000; ++step) text += fmt::format("{},1,100,{},0.5,0.1,,,\n", step, step % 1000 == 7 ? 3 : 1);
  test::write_file(file_, text);
  EXPECT_LE(steps().size(), SeriesCourse::most_points);
  const auto all = series_.training().since(0);
  EXPECT_EQ(all.at("rows").to_number<int>(), 1'000'000);
  EXPECT_THAT(test::numbers(all.at("high").at("loss")), testing::Contains(3));
}

class LayersTest : public testing::Test {
 protected:
  boost::json::object read(std::size_t from = 0) {
    layers_.refresh(folder_);
    return layers_.since(from);
  }

  test::TemporaryFolder temporary_;
  Folder folder_{temporary_.path()};
  std::filesystem::path file_ = temporary_.path() / "layers.csv";
  LayerCourse layers_;
};

TEST_F(LayersTest, HasACourseForEachOperand) {
  test::write_file(
      file_,
      "step,layer,operand,bound,bound_min,bound_max,clipped\n"
      "10,a,input,,,,\n10,a,weights,0.5,0.25,1,0\n20,a,input,3,2,4,0.01\n20,a,weights,0.625,0.25,1,0\n20,b,input,1,1,1,1\n");
  const auto all = read();
  EXPECT_THAT(test::numbers(all.at("step")), ElementsAre(10, 20));
  ASSERT_EQ(all.at("operands").as_array().size(), 3u);
  const auto& input = all.at("operands").at(0);
  EXPECT_EQ(input.at("layer"), "a");
  EXPECT_EQ(input.at("operand"), "input");
  EXPECT_TRUE(input.at("bound").at(0).is_null());
  EXPECT_EQ(input.at("high").at(1), 4.0);
  EXPECT_EQ(input.at("clipped").at(1), 0.01);
  EXPECT_TRUE(all.at("operands").at(2).at("bound").at(0).is_null());
}

TEST_F(LayersTest, ThinsEvaluationsAndKeepsTheLast) {
  std::string text = "step,layer,operand,bound,bound_min,bound_max,clipped\n";
  for (int step = 1; step <= 5000; ++step) text += fmt::format("{},a,input,{},1,2,0.5\n", step, step);
  test::write_file(file_, text);
  const auto steps = test::numbers(read().at("step"));
  EXPECT_LE(steps.size(), LayerCourse::most_evaluations);
  EXPECT_EQ(steps.front(), 1);
  EXPECT_EQ(steps.back(), 5000);
  EXPECT_EQ(test::numbers(read().at("operands").at(0).at("bound")), steps);
}

TEST_F(LayersTest, LeavesOutWhatIsNoLine) {
  test::write_file(file_, "step,layer,operand,bound,bound_min,bound_max,clipped\n5,a,input,1,1,1,0\n4,a,input,1,1,1,0\nx\n");
  EXPECT_THAT(test::numbers(read().at("step")), ElementsAre(5));
  EXPECT_THAT(layers_.problem(), HasSubstr("2 lines"));
  test::write_file(file_, "step,where,bound\n");
  EXPECT_THROW(read(), FileProblem);
}

}  // namespace
}  // namespace qfw::viewer
