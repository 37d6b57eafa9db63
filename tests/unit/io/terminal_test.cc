#include "io/terminal.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "io/log.h"
#include "io/progress.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;
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
    const winsize size{.ws_row = 24, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ioctl(slave_, TIOCSWINSZ, &size);
  }
  ~Screen() { close(slave_), close(master_); }
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

TEST(Terminal, ShowsControlCharactersOfNamesAsText) {
  const Screen screen(40);
  Terminal terminal(screen.descriptor());
  terminal.line("bad \033]0;title\007 name\nsecond line");
  EXPECT_EQ(screen.written(), "bad \\x1b]0;title\\x07 name\nsecond line\n");
  terminal.status("a\033[2Jb\nc");
  EXPECT_EQ(screen.written(), "\ra\\x1b[2Jb\\x0ac\033[K");
}

TEST(Terminal, DrawsOneLineInPlaceCutToTheWidth) {
  const Screen screen(20);
  Terminal terminal(screen.descriptor());
  EXPECT_TRUE(terminal.interactive());
  terminal.status("0123456789012345678901234567890");
  EXPECT_EQ(screen.written(), "\r0123456789012345678\033[K");
  terminal.line("a line that is longer than twenty columns");
  EXPECT_EQ(screen.written(), "\r\033[Ka line that is longer than twenty columns\n0123456789012345678");
  terminal.clear_status();
  EXPECT_EQ(screen.written(), "\r\033[K");
  terminal.line("b");
  EXPECT_EQ(screen.written(), "b\n");
}

TEST(Terminal, ElsewhereThereAreOnlyLines) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  EXPECT_FALSE(terminal.interactive());
  terminal.status("status");
  terminal.line("line");
  terminal.clear_status();
  EXPECT_EQ(pipe.written(), "line\n");
}

TEST(Terminal, AClosedStreamIsNoError) {
  Terminal terminal(-1);
  terminal.line("line");
  terminal.status("status");
}

TEST(Progress, ShowsEveryFigure) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  Progress progress("train", terminal);
  progress.update(figures(50));
  EXPECT_EQ(pipe.written(),
            "train  epoch 1.25/5  step 50/200  loss 0.5124  accuracy 81.25%  rate 0.05  1234 images/s  left 1:15\n");
}

TEST(Progress, WithoutATerminalLinesAreRare) {
  const Pipe pipe;
  Terminal terminal(pipe.descriptor());
  Progress progress("train", terminal, 1000);
  for (int step = 1; step <= 100; ++step) progress.update(figures(step));
  EXPECT_THAT(pipe.written(), testing::AllOf(HasSubstr("step 1/200"), Not(HasSubstr("step 2/200"))));
  progress.report("eval  top-1 90.00%");
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
  EXPECT_EQ(pipe.written(), "eval  step 100/300\n") << "nothing to estimate from yet";
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
  log_to_file(folder.path());  // a folder: said, and there is no log file
  logger().info("not in a file");
}

}  // namespace
}  // namespace qfw
