#include "qfw/confined.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <new>
#include <optional>

#include "io/hdf5.h"
#include "qfw/error.h"

/// By fork() alone, without exec: what the child runs is a function of a plugin, for which there is no program. fork() keeps
/// this thread only, so a lock that another thread holds stays locked. glibc makes its own usable again (malloc, stdio); HDF5,
/// which must not be interrupted half-way either, is kept still across the fork; what is left (a child that waits for ever)
/// ends by the time limit. The child leaves by _exit, so nothing of the parent's is finished twice.
namespace qfw {

namespace {

using Clock = std::chrono::steady_clock;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;  // they take memory of their own, beyond every limit, and have something to say on stderr
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif
#else
constexpr bool sanitized = false;
#endif

constexpr int failed_status = 3;          ///< of a child that wrote an error
constexpr std::size_t error_room = 4096;  ///< a pipe holds as much without a reader
constexpr std::size_t most_answer = std::size_t{1} << 32;

class Pipe {
 public:
  explicit Pipe(int flags) {
    if (pipe2(ends_.data(), O_CLOEXEC | flags) != 0)
      fail(Error::Category::device, "confined", fmt::format("cannot make a pipe: {}", std::strerror(errno)));
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() { close_end(0), close_end(1); }
  int reading() const { return ends_[0]; }
  int writing() const { return ends_[1]; }
  void close_end(std::size_t end) {
    if (const int descriptor = std::exchange(ends_[end], -1); descriptor >= 0) close(descriptor);
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

/// What this process has of what RLIMIT_DATA counts, in bytes.
std::uint64_t data_in_use() {
  std::ifstream stream("/proc/self/statm");
  std::uint64_t pages = 0, skipped = 0;
  stream >> skipped >> skipped >> skipped >> skipped >> skipped >> pages;
  return pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

void limit(__rlimit_resource resource, std::uint64_t value) {
  rlimit limits{};
  getrlimit(resource, &limits);
  limits.rlim_cur = std::min<rlim_t>(value, limits.rlim_max);
  setrlimit(resource, &limits);
}

void confine(const Confinement& limits) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  limit(RLIMIT_CORE, 0);
  // An interrupt is for the parent, which has this child finish, or takes it along.
  std::signal(SIGINT, SIG_IGN);
  std::signal(SIGTERM, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  for (const int crash : {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL}) {
    if (!sanitized) std::signal(crash, SIG_DFL);
  }
  if (limits.seconds > 0) limit(RLIMIT_CPU, limits.seconds + 1);
  if (sanitized) return;
  if (limits.memory > 0) limit(RLIMIT_DATA, data_in_use() + limits.memory);
  // What the C library says of a heap that a damaged file has ruined is of no use to anybody.
  if (const int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC); nowhere >= 0) {
    dup2(nowhere, STDOUT_FILENO);
    dup2(nowhere, STDERR_FILENO);
  }
}

void report(int descriptor, Error::Category category, std::string_view text) {
  std::array<char, error_room> message;
  message[0] = static_cast<char>(category);
  const std::size_t length = text.copy(message.data() + 1, error_room - 1);
  [[maybe_unused]] const auto written = write(descriptor, message.data(), length + 1);
}

int run_child(const Confinement& limits, const std::function<void(Answer&)>& work, int answers, int errors) noexcept {
  try {
    hdf5::Lock::renew();
    confine(limits);
    Answer answer(answers);
    work(answer);
    answer.flush();
    return 0;
  } catch (const Error& error) {
    report(errors, error.category(), error.what());
  } catch (const std::bad_alloc&) {
    report(errors, Error::Category::data,
           fmt::format("[{}] {} asks for more than {} MiB of memory ({}); {}", limits.tag, limits.task, limits.memory >> 20,
                       limits.place, limits.remedy));
  } catch (const std::exception& error) {
    report(errors, Error::Category::data,
           fmt::format("[{}] {} fails: {} ({}); {}", limits.tag, limits.task, error.what(), limits.place, limits.remedy));
  } catch (...) {
    report(errors, Error::Category::internal, fmt::format("[{}] {} fails ({})", limits.tag, limits.task, limits.place));
  }
  return failed_status;
}

/// A child that is waited for, or ended, before its parent goes on.
class Child {
 public:
  explicit Child(pid_t id) : id_(id) {}
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (id_ > 0) {
      kill(id_, SIGKILL);
      status();
    }
  }
  bool has_ended() {
    if (id_ > 0 && waitpid(id_, &status_, WNOHANG) == id_) id_ = -1;
    return id_ < 0;
  }
  int status() {
    while (id_ > 0 && waitpid(id_, &status_, 0) < 0 && errno == EINTR) {
    }
    id_ = -1;
    return status_;
  }

 private:
  pid_t id_;
  int status_ = 0;
};

enum class Ending { closed, late, too_much };

/// Until the pipe ends; or, should somebody else hold its other end, until the child has ended and the pipe is empty.
Ending receive(int descriptor, Child& child, const Confinement& limits, std::vector<std::byte>& bytes) {
  const auto deadline = Clock::now() + std::chrono::seconds(limits.seconds);
  const std::size_t most = limits.memory > 0 ? limits.memory : most_answer;
  constexpr int glance = 200;  // milliseconds
  std::array<std::byte, 1 << 16> piece;
  for (bool last = false;;) {
    if (limits.seconds > 0 && Clock::now() >= deadline) return Ending::late;
    pollfd waited{.fd = descriptor, .events = POLLIN, .revents = 0};
    if (poll(&waited, 1, last ? 0 : glance) <= 0) {
      if (last) return Ending::closed;
      last = child.has_ended();
      continue;
    }
    const ssize_t got = read(descriptor, piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return Ending::closed;
    if (bytes.size() + static_cast<std::size_t>(got) > most) return Ending::too_much;
    bytes.insert(bytes.end(), piece.begin(), piece.begin() + got);
  }
}

std::string message_in(int descriptor) {
  std::string text(error_room, '\0');
  const ssize_t got = read(descriptor, text.data(), text.size());
  text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return text;
}

}  // namespace

Confinement confinement_for(const RegularFile& file, std::string_view tag) {
  constexpr std::uint64_t least = 256 << 20, most = std::uint64_t{2} << 30,
                          bytes_a_second =
                              1'000'000;  // in HDF5 1.10 a data set's chunks take time by the square of their number
  return {.tag = std::string(tag),
          .task = "reading the file",
          .place = file.path().string(),
          .remedy = "the file is damaged or hostile: make it again",
          .memory = file.size() < most / 4 ? std::min(least + 4 * file.size(), most) : most,
          .seconds = static_cast<unsigned>(10 + std::min<std::uint64_t>(file.size() / bytes_a_second, 1 << 20))};
}

Received run_confined(const Confinement& limits, const std::function<void(Answer&)>& work) {
  const auto failed = [&](const std::string& what) {
    fail(Error::Category::data, limits.tag, fmt::format("{} {}", limits.task, what), limits.place, limits.remedy);
  };
  std::optional<hdf5::Lock> still(std::in_place);
  Pipe answers(0), errors(O_NONBLOCK);
  const pid_t id = fork();
  if (id == 0) _exit(run_child(limits, work, answers.writing(), errors.writing()));
  if (id < 0)
    fail(Error::Category::device, limits.tag, fmt::format("cannot start a process: {}", std::strerror(errno)), limits.place);
  Child child(id);
  answers.close_end(1);
  errors.close_end(1);
  still.reset();  // not before: a child of another thread would hold these ends, too
  std::vector<std::byte> bytes;
  switch (receive(answers.reading(), child, limits, bytes)) {
    case Ending::late:
      failed(fmt::format("takes longer than {} s", limits.seconds));
      break;
    case Ending::too_much:
      failed(fmt::format("gives more than {} MiB", limits.memory >> 20));
      break;
    case Ending::closed:
      break;
  }
  const int status = child.status();
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU) failed(fmt::format("takes longer than {} s", limits.seconds));
  if (WIFSIGNALED(status)) {
    failed(fmt::format("ends in a crash of the library (SIG{})",
                       sigabbrev_np(WTERMSIG(status)) ? sigabbrev_np(WTERMSIG(status)) : "?"));
  }
  if (WEXITSTATUS(status) == 0) return Received(std::move(bytes));
  const std::string text = WEXITSTATUS(status) == failed_status ? message_in(errors.reading()) : std::string();
  if (text.empty()) failed(fmt::format("ends with status {}", WEXITSTATUS(status)));
  throw Error(static_cast<Error::Category>(text[0]), text.substr(1));
}

}  // namespace qfw
