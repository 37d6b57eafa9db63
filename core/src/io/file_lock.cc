#include "io/file_lock.h"

#include <fmt/format.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "io/log.h"
#include "qfw/error.h"

namespace qfw {

bool lock_file(int descriptor, const std::filesystem::path& path, Waiting waiting) {
  while (flock(descriptor, waiting == Waiting::yes ? LOCK_EX : LOCK_EX | LOCK_NB) != 0) {
    switch (errno) {
      case EINTR:
        continue;
      case EWOULDBLOCK:
        return false;
      case ENOLCK:
      case ENOSYS:
      case EOPNOTSUPP:
        logger().warn("{} cannot be locked here ({}): see to it that no other process writes beside it", path.string(),
                      std::strerror(errno));
        return true;
      default:
        fail(Error::Category::data, "file", fmt::format("cannot lock {}: {}", path.string(), std::strerror(errno)));
    }
  }
  return true;
}

}  // namespace qfw
