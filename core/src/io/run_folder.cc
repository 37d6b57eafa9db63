#include "io/run_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "io/file_lock.h"
#include "io/open_fault.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void no_lock(const fs::path& path, int error) {
  const bool closed = error == EACCES || error == EPERM || error == EROFS;
  fail(Error::Category::data, "run", fmt::format("cannot lock {}: {}", path.string(), open_fault(path, error)), {},
       closed ? "make it writable for this user, or choose another --run.dir" : "move it away, or choose another --run.dir");
}

/// An flock on a file that stays; the system drops it with the process, however that ends.
int lock(const fs::path& path) {
  const int descriptor = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (descriptor < 0) no_lock(path, errno);
  if (!fault_of_kind(path).empty()) {
    close(descriptor);
    no_lock(path, EINVAL);
  }
  if (!lock_file(descriptor, path, Waiting::no)) {
    char text[32] = {};
    const ssize_t got = pread(descriptor, text, sizeof text - 1, 0);
    close(descriptor);
    std::string pid(text, got > 0 ? static_cast<std::size_t>(got) : 0);
    pid = pid.substr(0, pid.find_first_not_of("0123456789"));
    fail(Error::Category::usage, "run", fmt::format("process {} is running in this folder", pid.empty() ? "?" : pid),
         path.parent_path().string(), "wait for it to end, or choose another --run.dir");
  }
  const std::string pid = fmt::format("{}\n", getpid());
  if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const int error = errno;
    close(descriptor);
    fail_writing(path, error);
  }
  return descriptor;
}

void make(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (!error) return;
  std::error_code unseen;
  const bool taken = fs::exists(folder, unseen) && !fs::is_directory(folder, unseen);
  const std::string why = taken ? std::string("there is something of that name that is no folder") : error.message();
  fail(Error::Category::data, "run", fmt::format("cannot create {}: {}", folder.string(), why), {},
       "choose another --run.dir");
}

}  // namespace

RunFolder::RunFolder(fs::path folder, Access access) : folder_(std::move(folder)) {
  if (access == Access::read) {
    std::error_code error;
    if (!fs::is_directory(folder_, error)) {
      fail(Error::Category::usage, "run", fmt::format("there is no folder {}", folder_.string()), {},
           "give the folder of a run");
    }
    return;
  }
  make(folder_);
  lock_ = lock(folder_ / ".lock");
}

void RunFolder::prepare() const {
  make(checkpoints());
  remove_stale_temporaries(folder_);
  remove_stale_temporaries(checkpoints());
}

RunFolder::~RunFolder() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace qfw
