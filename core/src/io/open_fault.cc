#include "io/open_fault.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "qfw/regular_file.h"

namespace qfw {

namespace fs = std::filesystem;

std::string fault_of_kind(const fs::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return {};
  const std::string_view kind = irregular(status.st_mode);
  return kind.empty() ? std::string() : fmt::format("it is {}, not a file", kind);
}

std::string open_fault(const fs::path& path, int error) {
  if (std::string kind = fault_of_kind(path); !kind.empty()) return kind;
  std::error_code none;
  if (error == ENOENT && fs::is_symlink(fs::symlink_status(path, none))) {
    return fmt::format("it is a link to {}, which is not there", fs::read_symlink(path, none).string());
  }
  return error == ELOOP ? "it is a link that leads back to itself" : std::strerror(error);
}

}  // namespace qfw
