#include "io/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include <utility>
#include <vector>

#include "io/log.h"
#include "io/printable.h"
#include "io/progress.h"
#include "support.h"

namespace qfw {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Matches;
using testing::Not;

std::string drain(int descriptor) {
  fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
  std::string text;
  char buffer[4096];
  for (ssize_t got; (got = read(descriptor, buffer, sizeof buffer)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
  return text;
}

/// A pseudo-terminal of a given width.
class Screen {
 public:
  explicit Screen(unsigned short columns) {
    setenv("TERM", "xterm", 1);
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) throw std::runtime_error("no pseudo-terminal");
    slave_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    termios settings;
    tcgetattr(slave_, &settings);
    cfmakeraw(&settings);
    tcsetattr(slave_, TCSANOW, &settings);
    resize(columns);
  }
  ~Screen() { close(slave_), close(master_); }
  void resize(unsigned short columns) const {
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(slave_, TIOCSWINSZ, &size);
  }
  int descriptor() const { return slave_; }
  std::string written() const { return drain(master_); }

 private:
  int master_, slave_;
};

class Pipe {
 public:
  Pipe() {
    if (pipe(ends_) != 0) throw std::runtime_error("pipe");
  }
  ~Pipe() { close(ends_[0]), close(ends_[1]); }
  int descriptor() const { return ends_[1]; }
  std::string written() const { return drain(ends_[0]); }

 private:
  int ends_[2];
};

Progress::Figures figures(std::int64_t step) {
  return {.step = step,
          .total_steps = 200,
          .epoch = 1.25,
          .epochs = 5,
          .images_per_second = 1234.4,
          .loss = 0.51239,
          .accuracy = 0.8125,
          .rate = 0.05,
          .seconds_left = 75};
}

/// A line as it is redrawn.
std::string drawn(const std::string& text) { return "\r" + text + "\033[K"; }

TEST(Terminal, ShowsControlCharactersOfNamesAsText) {
  const Screen screen(40);
  Terminal terminal(screen.descriptor());
  terminal.line("bad \033]0;title\007 name\nsecond line");
  EXPECT_EQ(screen.written(), "\r\033[Kbad \\x1b]0;title\\x07 name\nsecond line\n");
  Terminal::Status status(terminal);
  status.show({"a\033[2Jb\nc"});
  EXPECT_EQ(screen.written(), drawn("a\\x1b[2Jb\\x0ac"));
}

TEST(Terminal, DrawsOneLineInPlaceBelowTheOthers) {
  const Screen screen(20);
  Terminal terminal(screen.descriptor());
  EXPECT_TRUE(terminal.interactive());
  {
    Terminal::Status status(terminal);
    status.show({"0123456789012345678901234567890"});
    EXPECT_EQ(screen.written(), drawn("0123456789012345678")) << "a full line would wrap";
    terminal.line("a line that is longer than twenty columns");
    EXPECT_EQ(screen.written(), "\r\033[Ka line that is longer than twenty columns\n0123456789012345678");
  }
  EXPECT_EQ(screen.written(), "\r\033[K");
  terminal.line("b");
  EXPECT_EQ(screen.written(), "\r\033[Kb\n") << "whatever was typed there";
}

TEST(Terminal, FollowsTheWidthOfTheWindow) {
  const Screen screen(20);
  Terminal terminal(screen.descriptor());
  Terminal::Status status(terminal);
  status.show({"first", "second", "third"});
  EXPECT_EQ(screen.written(), drawn("first  second"));
  screen.resize(40);
  terminal.line("line");
  EXPECT_EQ(screen.written(), "\r\033[Kline\nfirst  second  third");
  screen.resize(8);
  status.show({"first", "second", "third"});
  EXPECT_EQ(screen.written(), drawn("first"));
}

TEST(Terminal, OfSeveralStatusesTheNewestIsSeen) {
  const Screen screen(40);
  Terminal terminal(screen.descriptor());
  Terminal::Status outer(terminal);
  outer.show({"outer"});
  {
    Terminal::Status inner(terminal);
    EXPECT_FALSE(outer.is_covered()) << "it shows nothing yet";
    inner.show({"inner"});
    EXPECT_TRUE(outer.is_covered());
    EXPECT_EQ(screen.written(), drawn("outer") + drawn("inner"));
    outer.show({"outer again"});
    EXPECT_EQ(screen.written(), "");
  }
  EXPECT_EQ(screen.written(), drawn("outer again"));
  outer.show({});
  EXPECT_EQ(screen.written(), "\r\033[K");
}

TEST(Terminal, WhatWasTypedIsCleared) {
  const Screen screen(40);
  Terminal terminal(screen.descriptor());
  terminal.clear_typed();
  EXPECT_EQ(screen.written(), "\r\033[K");
  Terminal::Status status(terminal);
  status.show({"status"});
  terminal.clear_typed();
  EXPECT_EQ(screen.written(), drawn("status") + "\r\033[Kstatus");
}

TEST(Terminal, FieldsAreLeftOutWhole) {
  const std::vector<std::string> fields{"left 1:02", "epoch 3.25/6", "loss 0.4321"};
  EXPECT_EQ(fit_fields(fields, 100), "left 1:02  epoch 3.25/6  loss 0.4321");
  EXPECT_EQ(fit_fields(fields, 36), "left 1:02  epoch 3.25/6  loss 0.4321");
  EXPECT_EQ(fit_fields(fields, 35), "left 1:02  epoch 3.25/6");
  EXPECT_EQ(fit_fields(fields, 22), "left 1:02");
  EXPECT_EQ(fit_fields(fields, 6), "left 1") << "the first is better cut than not there";
  EXPECT_EQ(fit_fields({}, 10), "");
}

TEST(Terminal, CharactersTakeTheirColumns) {
  EXPECT_EQ(columns_of("abc"), 3u);
  EXPECT_EQ(columns_of("\u00e9t\u00e9"), 3u);
  EXPECT_EQ(columns_of("e\u0301"), 1u) << "an accent that joins";
  EXPECT_EQ(columns_of("\u6f22\u5b57"), 4u);
  EXPECT_EQ(columns_of("\xff"), 1u) << "whatever shows it";
  EXPECT_EQ(fit_fields({"\u6f22\u5b57", "ab"}, 8), "\u6f22\u5b57  ab");
  EXPECT_EQ(fit_fields({"\u6f22\u5b57", "ab"}, 7), "\u6f22\u5b57");
  EXPECT_EQ(fit_fields({"\u6f22\u5b57"}, 3), "\u6f22") << "never half a character";
}

TEST(Terminal, ElsewhereThereAreOnlyLines) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  EXPECT_FALSE(terminal.interactive());
  Terminal::Status status(terminal);
  status.show({"status"});
  terminal.line("line");
  terminal.clear_typed();
  EXPECT_EQ(pipe.written(), "line\n");
}

TEST(Terminal, AClosedStreamIsNoError) {
  Terminal terminal(-1);
  terminal.line("line");
  Terminal::Status(terminal).show({"status"});
}

TEST(Progress, ShowsEveryFigure) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  Progress progress("train", terminal);
  progress.update(figures(50));
  EXPECT_EQ(pipe.written(),
            "train  epoch 1.25/5  step 50/200  loss 0.5124  accuracy 81.25%  rate 0.05  1234 images/s  left 1:15\n");
}

/// What the last redrawing left on the line.
std::string seen(const Screen& screen) {
  const std::string all = screen.written();
  const std::size_t begin = all.rfind('\r') + 1;
  return all.substr(begin, all.rfind("\033[K") - begin);
}

TEST(Progress, OnATerminalTheTimeLeftComesFirst) {
  for (const auto& [columns, wanted] : {
           std::pair{120, "left 1:15  epoch 1.25/5  loss 0.5124  acc 81.2%  1234 images/s  rate 0.05  step 50/200"},
           {80, "left 1:15  epoch 1.25/5  loss 0.5124  acc 81.2%  1234 images/s  rate 0.05"},
           {40, "left 1:15  epoch 1.25/5  loss 0.5124"},
       }) {
    const Screen screen(static_cast<unsigned short>(columns));
    Terminal terminal(screen.descriptor());
    Progress progress("training", terminal);
    progress.update(figures(50));
    EXPECT_EQ(seen(screen), wanted) << columns;
  }
}

TEST(Progress, NothingMovesBetweenRedrawings) {
  const Screen screen(120);
  Terminal terminal(screen.descriptor());
  Progress progress("training", terminal);
  auto now = figures(99);
  now.seconds_left = 3605;
  progress.begin(now);
  EXPECT_EQ(seen(screen), "left 1:00:05  epoch 1.25/5  loss 0.5124  acc 81.2%  1234 images/s  rate 0.05  step 99/200");
  now.accuracy = 0.05;
  now.images_per_second = 900;
  now.rate = 0.1;
  progress.begin(now);
  EXPECT_EQ(seen(screen), "left 1:00:05  epoch 1.25/5  loss 0.5124  acc 5.0%   900 images/s   rate 0.1   step 99/200");
  now.seconds_left = 599;
  now.accuracy = 1;
  progress.begin(now);
  EXPECT_EQ(seen(screen), "left 9:59  epoch 1.25/5  loss 0.5124  acc 100.0%  900 images/s   rate 0.1   step 99/200")
      << "an hour is gone for good";
}

TEST(Progress, WithoutEpochsTheLabelIsShown) {
  const Screen screen(40);
  Terminal terminal(screen.descriptor());
  Progress progress("reading \033\u6f22\u5b57", terminal);
  progress.begin({.step = 0, .total_steps = 300});
  EXPECT_EQ(seen(screen), "left ?  reading \\x1b\u6f22\u5b57 0/300");
  usleep(120000);
  progress.update({.step = 299, .total_steps = 300, .corrupt = 2});
  EXPECT_EQ(seen(screen), "left 0:00  reading \\x1b\u6f22\u5b57 299/300") << "the corrupt ones do not fit";
}

TEST(Progress, ALongStepKeepsTheLineAlive) {
  const Screen screen(120);
  Terminal terminal(screen.descriptor());
  Progress progress("training", terminal);
  progress.update(figures(50));
  seen(screen);
  const auto begin = std::chrono::steady_clock::now();
  progress.tick(begin + std::chrono::milliseconds(1500));
  EXPECT_EQ(screen.written(), "") << "steps like that need no help";
  progress.tick(begin + std::chrono::milliseconds(65100));
  EXPECT_EQ(seen(screen),
            "left 0:10  epoch 1.25/5  this step 1:05  loss 0.5124  acc 81.2%  1234 images/s  rate 0.05  step 50/200");
  {
    Terminal::Status other(terminal);
    other.show({"evaluating"});
    screen.written();
    progress.tick(begin + std::chrono::seconds(100));
    EXPECT_EQ(screen.written(), "");
  }
  seen(screen);
  progress.tick(begin + std::chrono::seconds(103));
  EXPECT_THAT(seen(screen), HasSubstr("this step 0:03")) << "without what was done meanwhile";
  progress.finish(figures(50));
  screen.written();
  progress.tick(begin + std::chrono::seconds(200));
  EXPECT_EQ(screen.written(), "") << "nothing after the end";
}

// Of a busy machine's seconds some pass unseen.
TEST(Progress, RedrawsByItself) {
  const Screen screen(120);
  Terminal terminal(screen.descriptor());
  Progress progress("training", terminal);
  progress.update(figures(50));
  screen.written();
  std::string all;
  const auto matches = ContainsRegex("this step 0:0[2-9]");
  for (int i = 0; i < 170 && !Matches(matches)(all); ++i) {
    usleep(50000);
    all += screen.written();
  }
  EXPECT_THAT(all, matches);
}

TEST(Activity, IsShownWhenItTakesLong) {
  const Screen screen(40);
  Terminal terminal(screen.descriptor());
  {
    Activity activity("compiling", terminal);
    EXPECT_EQ(screen.written(), "");
    activity.tick(std::chrono::steady_clock::now() + std::chrono::milliseconds(61100));
    EXPECT_EQ(seen(screen), "1:01  compiling");
  }
  EXPECT_EQ(screen.written(), "\r\033[K");
}

TEST(Progress, WithoutATerminalLinesAreRare) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  Progress progress("train", terminal, 1000);
  for (int step = 1; step <= 100; ++step) progress.update(figures(step));
  EXPECT_THAT(pipe.written(), testing::AllOf(HasSubstr("step 1/200"), Not(HasSubstr("step 2/200"))));
  terminal.line("eval  top-1 90.00%");
  EXPECT_EQ(pipe.written(), "eval  top-1 90.00%\n");
  progress.finish(figures(200));
  EXPECT_THAT(pipe.written(), testing::AllOf(HasSubstr("step 200/200"), Not(HasSubstr("left")), testing::EndsWith("\n")));
}

TEST(Progress, OnATerminalTheLineIsRedrawnAtMostTenTimesASecond) {
  const Screen screen(200);
  Terminal terminal(screen.descriptor());
  {
    Progress progress("train", terminal);
    progress.update(figures(1));
    progress.update(figures(2));
    EXPECT_THAT(screen.written(), testing::AllOf(HasSubstr("step 1/200"), Not(HasSubstr("step 2/200")), Not(HasSubstr("\n"))));
    usleep(120000);
    progress.update(figures(3));
    EXPECT_THAT(screen.written(), testing::AllOf(testing::StartsWith("\r"), HasSubstr("step 3/200")));
  }
  EXPECT_EQ(screen.written(), "\r\033[K") << "it cleans up after itself";
}

TEST(Progress, EstimatesTheTimeLeft) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  Progress progress("eval", terminal, 0);
  progress.update({.step = 100, .total_steps = 300});
  EXPECT_EQ(pipe.written(), "eval  100/300\n") << "nothing to estimate from yet";
  usleep(50000);
  progress.update({.step = 200, .total_steps = 300});
  EXPECT_THAT(pipe.written(), HasSubstr("left 0:0"));
}

TEST(Progress, Durations) {
  EXPECT_EQ(duration_text(0), "0:00");
  EXPECT_EQ(duration_text(65.4), "1:05");
  EXPECT_EQ(duration_text(3723), "1:02:03");
  EXPECT_EQ(duration_text(std::numeric_limits<double>::infinity()), "?");
  EXPECT_EQ(duration_text(-1), "?");
}

TEST(Log, AppendsToTheFileOfTheRun) {
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "log.txt";
  test::spew(path, "before\n");
  log_to_file(path);
  logger().info("a message {}", 42);
  stop_log_to_file();
  logger().info("not in the file");
  EXPECT_THAT(test::slurp(path), testing::MatchesRegex("before\n....-..-.. ..:..:..\\.... .info. a message 42\n"));
  hold_log();
  logger().info("refused");
  stop_log_to_file();
  hold_log();
  logger().info("held");
  EXPECT_THAT(test::slurp(path), testing::Not(testing::HasSubstr("held")));
  log_to_file(path);
  logger().info("after it");
  stop_log_to_file();
  EXPECT_THAT(test::slurp(path), testing::MatchesRegex("before\n.*a message 42\n[^\n]*held\n[^\n]*after it\n"));
  log_to_file(folder.path());  // a folder: said, and there is no log file
  logger().info("not in a file");
}

}  // namespace
}  // namespace qfw
