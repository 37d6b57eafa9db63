#include "identity.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <thread>

#include "qfw/random.h"

namespace qfw::image_folder {

namespace {

struct Digests {
  std::uint64_t content = 0, storage = 0;
};

/// The time of the last change of a file's status tells what keeps its size and time of modification, as a copy by rsync may.
Digests digests_of(const Listing& listing, std::size_t index, const std::string& folder) {
  struct stat status {};
  const int error = stat(listing.path(index).c_str(), &status) == 0 ? 0 : errno;
  const Listing::File& file = listing.files[index];
  return {hash_of(fmt::format("{}/{}\n{} {} {}", folder, file.name, file.label, status.st_size, error)),
          hash_of(fmt::format("{}.{} {}.{}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
                              status.st_ctim.tv_nsec))};
}

}  // namespace

Dataset::Identity identity_of(const Listing& listing, const std::filesystem::path& split,
                              const std::vector<std::string>& class_names) {
  std::vector<std::string> folders;
  for (const auto& folder : listing.folders) folders.push_back(folder.lexically_relative(split).string());
  std::vector<Digests> digests(listing.files.size());
  const auto work = [&](std::size_t first, std::size_t step) {
    for (std::size_t i = first; i < digests.size(); i += step)
      digests[i] = digests_of(listing, i, folders[listing.files[i].folder]);
  };
  // More than there are processors: on a network each one waits.
  const std::size_t threads = std::clamp<std::size_t>(digests.size() / 1000, 1, 16);
  std::vector<std::jthread> others;
  for (std::size_t i = 1; i < threads; ++i) others.emplace_back(work, i, threads);
  work(0, threads);
  others.clear();

  std::string content, storage;
  for (const std::string& name : class_names) content += fmt::format("{}\n", name);
  for (const Digests& each : digests) {
    content += fmt::format("{:016x}", each.content);
    storage += fmt::format("{:016x}", each.storage);
  }
  return {.content = hash_of(content), .storage = hash_of(content + storage)};
}

}  // namespace qfw::image_folder
