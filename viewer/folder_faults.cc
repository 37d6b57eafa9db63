#include "viewer/folder_faults.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "io/checkpoint_header.h"
#include "qfw/regular_file.h"

namespace qfw::viewer {

namespace {

namespace fs = std::filesystem;

constexpr std::string_view unread[] = {".lock", "log.txt", "hparams.json", "report.html"};
constexpr std::string_view curves = "events.out.tfevents.";
constexpr std::size_t most_entries = 20'000;

/// Empty: nothing, or it is not there.
std::string fault_of_checkpoint_file(const Folder& folder, const std::string& name) try {
  const auto open = folder.open(name);
  if (!open) return {};  // it has made room for a newer one meanwhile
  const std::string begin = open->read(0, checkpoint_header_bytes);
  const auto bytes = std::as_bytes(std::span(begin));
  if (is_checkpoint_version_1(bytes)) return {};
  const CheckpointFault fault = fault_of_checkpoint(bytes, open->mark().bytes);
  return fault.other_version ? std::string() : fault.what;
} catch (const FileProblem& problem) {
  return problem.what();
}

/// Also what may not be read is a file.
std::string fault_of_entry(const fs::path& path) {
  struct stat status {};
  return lstat(path.c_str(), &status) == 0 ? fault_of_mode(status.st_mode) : std::string();
}

/// Of one that is a link it is said elsewhere that it is not followed.
std::string fault_of_checkpoints_folder(const fs::path& path) {
  struct stat status {};
  if (lstat(path.c_str(), &status) != 0 || S_ISDIR(status.st_mode) || S_ISLNK(status.st_mode)) return {};
  const std::string_view kind = irregular(status.st_mode);
  return fmt::format("it is {}, not a folder", kind.empty() ? "a file" : kind);
}

}  // namespace

std::vector<NamedFault> faults_of_checkpoints(const Folder& run, const std::string& newest) {
  std::vector<NamedFault> faults;
  const auto add = [&](const Folder& folder, const std::string& name, const std::string& shown) {
    if (std::string fault = fault_of_checkpoint_file(folder, name); !fault.empty()) faults.push_back({shown, std::move(fault)});
  };
  if (std::string fault = fault_of_checkpoints_folder(run.path() / "checkpoints"); !fault.empty()) {
    faults.push_back({"checkpoints", std::move(fault)});
  }
  if (!newest.empty()) add(Folder(run.path() / "checkpoints"), newest, "checkpoints/" + newest);
  add(run, "best.h5", "best.h5");
  return faults;
}

std::vector<NamedFault> faults_of_kind(const Folder& run, std::span<const std::string_view> read) {
  std::vector<std::string> names(std::begin(unread), std::end(unread));
  names.insert(names.end(), read.begin(), read.end());
  std::error_code error;
  std::size_t entries = 0;
  fs::directory_iterator it(run.path(), error);
  for (const fs::directory_iterator end; !error && it != end && entries < most_entries; it.increment(error), ++entries) {
    if (std::string name = it->path().filename().string(); name.starts_with(curves)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  std::vector<NamedFault> faults;
  for (const std::string& name : names) {
    if (std::string fault = fault_of_entry(run.path() / name); !fault.empty()) faults.push_back({name, std::move(fault)});
  }
  return faults;
}

}  // namespace qfw::viewer
