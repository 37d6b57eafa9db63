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

/// Its first line comes before its end: of what is no table a cut last line says nothing.
TEST(CsvTail, TellsWhatIsNoTable) {
  constexpr std::string_view columns[] = {"step", "loss"};
  const test::TemporaryFolder temporary;
  const auto fault = [&](const std::string& text) {
    test::write_file(temporary.path() / "series.csv", text);
    return fault_of_table(*Folder(temporary.path()).open("series.csv"), columns);
  };
  EXPECT_EQ(fault("step,loss\n1,2\n"), "");
  EXPECT_EQ(fault("step,loss\n1,"), "its last line is cut off");
  EXPECT_EQ(fault("step,los\n1,2\n"), "its first line names no column `loss`");
  EXPECT_EQ(fault({"\x7f\0\xff\n\0\x01", 6}), "its first line names no column `step`");
  EXPECT_EQ(fault({"\x7f\0\xff", 3}), "it is no table: it has no whole line");
  EXPECT_EQ(fault(""), "it is empty");
}

}  // namespace
}  // namespace qfw::viewer
