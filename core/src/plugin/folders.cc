#include "plugin/folders.h"

#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include "io/log.h"
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

#include "plugin/catalog.h"

namespace qfw {
namespace {

/// A group that exists for one user alone: Debian's default group, of the user's own name.
bool is_private_group(gid_t group, uid_t user) {
  std::array<char, 4096> group_text, user_text;
  struct group group_entry, *found_group = nullptr;
  struct passwd user_entry, *found_user = nullptr;
  if (getgrgid_r(group, &group_entry, group_text.data(), group_text.size(), &found_group) != 0 || found_group == nullptr)
    return false;
  if (getpwuid_r(user, &user_entry, user_text.data(), user_text.size(), &found_user) != 0 || found_user == nullptr)
    return false;
  if (std::string_view(group_entry.gr_name) != user_entry.pw_name) return false;
  for (char** member = group_entry.gr_mem; *member != nullptr; ++member) {
    if (std::string_view(*member) != user_entry.pw_name) return false;
  }
  return true;
}

std::filesystem::path executable() {
  std::error_code ignored;
  return std::filesystem::read_symlink("/proc/self/exe", ignored);
}

}  // namespace

std::string unsafe_reason(const std::filesystem::path& path) {
  struct stat about {};
  if (::stat(path.c_str(), &about) != 0) return "cannot be examined";
  // Whoever owns the running program decides what it does already.
  struct stat program {};
  const bool known = ::stat("/proc/self/exe", &program) == 0;
  if (about.st_uid != 0 && about.st_uid != ::geteuid() && !(known && about.st_uid == program.st_uid)) {
    return fmt::format("belongs to another user (uid {})", about.st_uid);
  }
  if ((about.st_mode & S_IWOTH) != 0) return "may be written by every user";
  if ((about.st_mode & S_IWGRP) != 0 && about.st_gid != 0 && !is_private_group(about.st_gid, about.st_uid)) {
    return fmt::format("may be written by another user's group (gid {})", about.st_gid);
  }
  return {};
}

std::vector<std::filesystem::path> plugin_folders(std::span<const std::filesystem::path> chosen) {
  std::vector<std::filesystem::path> folders(chosen.begin(), chosen.end());
  if (const char* path = std::getenv("QFW_PLUGIN_PATH")) {
    std::istringstream parts(path);
    for (std::string part; std::getline(parts, part, ':');) {
      if (part.empty()) continue;
      if (part.front() == '/') {
        folders.emplace_back(part);
      } else {
        logger().warn("QFW_PLUGIN_PATH: {} is not searched: it is relative to the current directory", part);
      }
    }
  }
  if (const std::filesystem::path program = executable(); !program.empty()) {
    folders.push_back(program.parent_path());
    folders.push_back((program.parent_path() / ".." / QFW_INSTALL_LIBDIR / "qfw").lexically_normal());
  }
  return folders;
}

}  // namespace qfw
