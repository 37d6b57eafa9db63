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
  return id;
}

bool is_alive(int id) { return id > 0 && (kill(id, 0) == 0 || errno == EPERM); }

}  // namespace

std::optional<RunningProcess> process_running_in(const std::filesystem::path& folder, bool elsewhere) {
  const int descriptor = open((folder / ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) return std::nullopt;
  struct stat status {};
  std::optional<RunningProcess> running;
  if (fstat(descriptor, &status) == 0 && S_ISREG(status.st_mode)) {
    const int id = process_named_in(descriptor);
    const bool may_run = elsewhere || is_alive(id);
    if (may_run && flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK) running = RunningProcess{id};
  }
  close(descriptor);
  return running;
}

}  // namespace qfw
