#include "io/layers_file.h"

#include <cmath>
#include <limits>

#include "io/cells.h"
#include "support.h"

namespace qfw {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

TEST(Cells, ComeBackAsTheyWere) {
  for (const std::string cell : {"", "conv", "a,b", "say \"so\"", "\"", ",\",\"", "a\"\"b"}) {
    const auto cells = cells_of("1," + cell_of(cell) + ",2");
    ASSERT_TRUE(cells) << cell;
    EXPECT_THAT(*cells, ElementsAre("1", cell, "2"));
  }
  EXPECT_FALSE(cells_of("1,\"open"));
  EXPECT_EQ(cell_of("two\nlines"), "two\\x0alines");
}

class LayersFileTest : public testing::Test {
 protected:
  static std::vector<LayersFile::Row> rows(double bound) {
    return {{.layer = "stage1/conv", .bound = bound, .bound_min = 0.1, .bound_max = 3, .clipped = 0.25},
            {.layer = "a,b", .weights = true, .bound = std::numeric_limits<double>::infinity(), .clipped = {}}};
  }
  std::string whole() {
    LayersFile file(path_, -1);
    for (const std::int64_t step : {2, 4, 6}) file.add(step, rows(static_cast<double>(step) / 3));
    return test::slurp(path_);
  }

  test::TemporaryFolder folder_;
  fs::path path_ = folder_.path() / "layers.csv";
};

TEST_F(LayersFileTest, HasALineForEachOperandOfEachEvaluation) {
  EXPECT_THAT(whole(), testing::StartsWith("step,layer,operand,bound,bound_min,bound_max,clipped\n"
                                           "2,stage1/conv,input,0.6666666666666666,0.1,3,0.25\n"
                                           "2,\"a,b\",weights,,,,\n"
                                           "4,stage1/conv,input,1.3333333333333333,0.1,3,0.25\n"));
}

TEST_F(LayersFileTest, GoesOnFromAnyEvaluationToTheSameLines) {
  const std::string wanted = whole();
  for (const std::int64_t evaluated : {-1, 0, 2, 3, 4, 6}) {
    test::spew(path_, wanted + "6,half");
    {
      LayersFile file(path_, evaluated);
      for (const std::int64_t step : {2, 4, 6}) {
        if (step > evaluated) file.add(step, rows(static_cast<double>(step) / 3));
      }
    }
    EXPECT_EQ(test::slurp(path_), wanted) << evaluated;
  }
}

TEST_F(LayersFileTest, WhatIsNoLineIsCutOffAndWhatIsNoTableIsLeftAlone) {
  const std::string wanted = whole();
  const std::string header = wanted.substr(0, wanted.find('\n') + 1);
  for (const std::string bad :
       {"", "1", "x,conv,input,1,1,1,0", "1,conv,output,1,1,1,0", "1,conv,input,1,1,1", "1,conv,input,1,1,nan,0",
        "0,conv,input,1,1,1,0", "1,,input,1,1,1,0", "1,\"conv,input,1,1,1,0"}) {
    test::spew(path_, header + bad + "\n" + wanted.substr(header.size()));
    LayersFile(path_, 6);
    EXPECT_EQ(test::slurp(path_), header) << bad;
  }
  test::spew(path_, "my notes\n");
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { LayersFile(path_, 6); }),
              HasSubstr("does not begin as a run's table of layers"));
  EXPECT_EQ(test::slurp(path_), "my notes\n");
}

}  // namespace
}  // namespace qfw
