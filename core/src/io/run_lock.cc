#include "io/run_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>

namespace qfw {
namespace {

int process_named_in(int descriptor) {
  char text[32] = {};
  const ssize_t got = pread(descriptor, text, sizeof text - 1, 0);
  int id = 0;
  if (got > 0) std::from_chars(text, text + got, id);
  return id > 0 ? id : 0;
}

bool is_gone(int id) { return id > 0 && kill(id, 0) != 0 && errno == ESRCH; }

RunLock::State state_of(int descriptor) {
  int result = 0;
  do {
    result = flock(descriptor, LOCK_SH | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result == 0) return RunLock::State::free;
  return errno == EWOULDBLOCK ? RunLock::State::held : RunLock::State::untold;
}

}  // namespace

RunLock run_lock(const std::filesystem::path& folder, bool elsewhere) {
  RunLock lock;
  const int descriptor = open((folder / ".lock").c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    if (errno != ENOENT && errno != ENOTDIR) lock.state = RunLock::State::untold;
    return lock;
  }
  struct stat status {};
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    lock.process = process_named_in(descriptor);
    lock.taken = static_cast<double>(status.st_mtim.tv_sec) + static_cast<double>(status.st_mtim.tv_nsec) / 1e9;
    if (elsewhere || !is_gone(lock.process)) lock.state = state_of(descriptor);
  } else {
    lock.state = RunLock::State::untold;
  }
  close(descriptor);
  return lock;
}

}  // namespace qfw
