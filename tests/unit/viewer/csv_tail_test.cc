#include "viewer/csv_tail.h"

#include "support.h"

namespace qfw::viewer {
namespace {

/// Who writes as fast as it is read holds nobody up: reading ends where the file ended when it was opened.
TEST(CsvTail, EndsWhereTheFileEndedWhenItWasOpened) {
  const test::TemporaryFolder temporary;
  const auto file = temporary.path() / "series.csv";
  test::write_file(file, "step\n1\n2\n");
  CsvTail tail("series.csv", 1 << 20);
  int rows = 0;
  const CsvTail::Listener listener{.begin = [](Cells) {},
                                   .row =
                                       [&](Cells) {
                                         ++rows;
                                         test::append_file(file, "3\n");
                                       }};
  ASSERT_NE(tail.follow(Folder(temporary.path()), listener), nullptr);
  EXPECT_EQ(rows, 2);
  ASSERT_NE(tail.follow(Folder(temporary.path()), listener), nullptr);
  EXPECT_EQ(rows, 4) << "what came meanwhile is told the next time";
}

}  // namespace
}  // namespace qfw::viewer
