#include "unfinished.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "qfw/atomic_file.h"

namespace qfw {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t longest = 150;  ///< bytes of a name and of an ending that a temporary name takes over: 255 are allowed

}  // namespace

Unfinished::Unfinished(const fs::path& to)
    : to_(to),
      path_(to.parent_path() / fmt::format(".{}.qfw-tmp.{}{}", to.stem().string().substr(0, longest), getpid(),
                                           to.extension().string().substr(0, longest / 3))) {}

Unfinished::~Unfinished() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

void Unfinished::finish() {
  std::error_code error;
  fs::rename(path_, to_, error);
  if (error) fail_writing(to_, error.value());
  sync_folder(to_.has_parent_path() ? to_.parent_path() : fs::path("."));
}

}  // namespace qfw
