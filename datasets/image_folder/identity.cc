#include "identity.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <thread>

#include "files.h"
#include "qfw/error.h"
#include "qfw/random.h"

namespace qfw::image_folder {

namespace {

struct Digests {
  std::uint64_t content = 0, storage = 0;
  int error = 0;  ///< of a look that failed
};

/// Of a file that is not there, or may not be looked at, that is its state; other failures pass.
bool is_lasting(int error) {
  return error == ENOENT || error == EACCES || error == EPERM || error == ENOTDIR || error == ELOOP || error == ENAMETOOLONG;
}

/// A file's own numbers, hashed as they lie in memory.
template <std::size_t count>
std::uint64_t hash_of_numbers(const std::array<std::int64_t, count>& numbers) {
  return hash_of({reinterpret_cast<const char*>(numbers.data()), sizeof numbers});
}

/// The time of the last change of a file's status tells what keeps its size and time of modification, as a copy by rsync may.
Digests digests_of(const Listing::File& file, const std::string& path, std::uint64_t folder) {
  struct stat status {};
  const int error = stat(path.c_str(), &status) == 0 ? 0 : errno;
  const auto name = static_cast<std::int64_t>(hash_of(file.name));
  return {hash_of_numbers<5>({static_cast<std::int64_t>(folder), name, file.label, status.st_size, error}),
          hash_of_numbers<4>({status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec}),
          error};
}

}  // namespace

Dataset::Identity identity_of(const Listing& listing, const std::filesystem::path& split,
                              const std::vector<std::string>& class_names) {
  std::vector<std::uint64_t> folders;
  for (const auto& folder : listing.folders) folders.push_back(hash_of(folder.lexically_relative(split).string()));
  std::vector<Digests> digests(listing.files.size());
  const auto work = [&](std::size_t first, std::size_t end) {
    std::string path;
    for (std::size_t i = first; i < end; ++i) {
      const Listing::File& file = listing.files[i];
      path.assign(listing.folders[file.folder].native()).append("/").append(file.name);
      digests[i] = digests_of(file, path, folders[file.folder]);
    }
  };
  // More than there are processors: on a network each one waits.
  const std::size_t threads = std::clamp<std::size_t>(digests.size() / 1000, 1, 16);
  std::vector<std::jthread> others;
  const auto begin_of = [&](std::size_t thread) { return digests.size() * thread / threads; };
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work, begin_of(i), begin_of(i + 1));
  work(0, begin_of(1));
  others.clear();
  for (std::size_t i = 0; i < digests.size(); ++i) {
    if (const int error = digests[i].error; error != 0 && !is_lasting(error)) {
      fail(Error::Category::data, tag, fmt::format("cannot look at the file: {}", std::strerror(error)),
           listing.path(i).string(), "try again, or check the disk");
    }
  }

  std::string content, storage;
  for (const std::string& name : class_names) content.append(name).append("\n");
  for (const Digests& each : digests) {
    content.append(reinterpret_cast<const char*>(&each.content), sizeof each.content);
    storage.append(reinterpret_cast<const char*>(&each.storage), sizeof each.storage);
  }
  return {.content = hash_of(content), .storage = hash_of(content + storage)};
}

}  // namespace qfw::image_folder
