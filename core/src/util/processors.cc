#include "qfw/processors.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <thread>

#include "util/processor_share.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

thread_local int sharers_of_quota = 1;

/// Masks have no fixed size: the kernel's may be larger than cpu_set_t.
std::vector<int> affinity() {
  constexpr std::size_t most = 1 << 20;
  for (std::size_t count = CPU_SETSIZE; count <= most; count *= 2) {
    cpu_set_t* mask = CPU_ALLOC(count);
    if (mask == nullptr) break;
    const std::size_t bytes = CPU_ALLOC_SIZE(count);
    const bool known = sched_getaffinity(0, bytes, mask) == 0;
    std::vector<int> allowed;
    for (std::size_t cpu = 0; known && cpu < count; ++cpu) {
      if (CPU_ISSET_S(cpu, bytes, mask)) allowed.push_back(static_cast<int>(cpu));
    }
    CPU_FREE(mask);
    if (known) return allowed;
  }
  std::vector<int> all(std::max(1u, std::thread::hardware_concurrency()));
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<int>(i);
  return all;
}

/// "0-3,8"; parts of another form are none.
std::vector<int> list_of(const std::string& text) {
  std::vector<int> all;
  std::istringstream parts(text);
  for (std::string part; std::getline(parts, part, ',');) {
    int first = 0, last = -1;
    const int numbers = std::sscanf(part.c_str(), "%d-%d", &first, &last);
    if (numbers == 1) last = first;
    for (int cpu = first; cpu <= last; ++cpu) all.push_back(cpu);
  }
  return all;
}

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Each core is known by the list of its hardware threads.
int cores_of(const std::vector<int>& processors, const fs::path& root) {
  std::set<std::string> cores;
  for (const int cpu : processors) {
    const auto siblings = first_line(root / fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu));
    cores.insert(siblings.empty() ? std::to_string(cpu) : siblings);
  }
  return std::max(1, static_cast<int>(cores.size()));
}

/// Where a kind of control groups is mounted, and which of them is at the mount point.
struct Mount {
  fs::path point, top;
};

/// The kernel writes white space and backslashes as \040.
std::string unescaped(const std::string& text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](std::size_t at) { return at < text.size() && text[at] >= '0' && text[at] < '8'; };
    if (text[i] == '\\' && digit(i + 1) && digit(i + 2) && digit(i + 3)) {
      result += static_cast<char>((text[i + 1] - '0') << 6 | (text[i + 2] - '0') << 3 | (text[i + 3] - '0'));
      i += 3;
    } else {
      result += text[i];
    }
  }
  return result;
}

bool lists(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    if (list.substr(0, comma) == word) return true;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

/// proc(5): number, parent, device, top, mount point, options, optional fields, "-", type, source, options of the super block.
std::optional<Mount> mount_in(const fs::path& root, const std::string& type, std::string_view option) {
  std::ifstream file(root / "proc/self/mountinfo");
  for (std::string line; std::getline(file, line);) {
    std::istringstream fields(line);
    std::string skipped, top, point, word, kind, options;
    fields >> skipped >> skipped >> skipped >> top >> point;
    while (fields >> word && word != "-") {
    }
    fields >> kind >> skipped >> options;
    if (!fields || kind != type || (!option.empty() && !lists(options, option))) continue;
    return Mount{root / fs::path(unescaped(point)).relative_path(), unescaped(top)};
  }
  return std::nullopt;
}

/// The control group of this process among those with a controller; of version 2 if that is empty.
std::optional<fs::path> group_in(const fs::path& root, std::string_view controller) {
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string_view controllers = std::string_view(line).substr(first + 1, second - first - 1);
    if (controller.empty() ? controllers.empty() : lists(controllers, controller)) return fs::path(line.substr(second + 1));
  }
  return std::nullopt;
}

/// Its folder and those around it, up to the mount point: which is all there is to see of a group that lies elsewhere.
std::vector<fs::path> folders_of(const fs::path& group, const Mount& mount) {
  const fs::path below = group.lexically_relative(mount.top);
  std::vector<fs::path> folders{mount.point};
  const bool inside = !below.empty() && *below.begin() != "..";
  for (const fs::path& part : inside ? below : fs::path()) {
    if (part != "." && !part.empty()) folders.push_back(folders.back() / part);
  }
  return folders;
}

std::optional<double> ratio(double quota, double period) {
  const bool limited = std::isfinite(quota) && std::isfinite(period) && quota > 0 && period > 0;
  return limited ? std::optional(quota / period) : std::nullopt;
}

std::optional<double> number_in(const std::string& text) {
  std::istringstream stream(text);
  double number = 0;
  return stream >> number && (stream >> std::ws).eof() ? std::optional(number) : std::nullopt;
}

/// "200000 100000", or "max 100000".
std::optional<double> quota_of_version_2(const fs::path& folder) {
  std::istringstream fields(first_line(folder / "cpu.max"));
  double quota = 0, period = 0;
  return fields >> quota >> period ? ratio(quota, period) : std::nullopt;
}

/// A quota of -1 is none.
std::optional<double> quota_of_version_1(const fs::path& folder) {
  const auto quota = number_in(first_line(folder / "cpu.cfs_quota_us"));
  const auto period = number_in(first_line(folder / "cpu.cfs_period_us"));
  return quota && period ? ratio(*quota, *period) : std::nullopt;
}

std::optional<double> smallest_quota(const fs::path& root) {
  std::optional<double> smallest;
  const auto look = [&](const char* type, const char* controller, const auto& quota_of) {
    const auto mount = mount_in(root, type, controller);
    const auto group = group_in(root, controller);
    if (!mount || !group) return;
    for (const fs::path& folder : folders_of(*group, *mount)) {
      if (const auto quota = quota_of(folder)) smallest = std::min(*quota, smallest.value_or(*quota));
    }
  };
  look("cgroup2", "", quota_of_version_2);
  look("cgroup", "cpu", quota_of_version_1);
  return smallest;
}

}  // namespace

int Processors::threads() const {
  if (!quota || *quota >= cores) return cores;
  return std::max(1, static_cast<int>(std::lround(*quota)));
}

std::string Processors::limits() const {
  std::string why;
  if (cores < machine_cores) why += fmt::format("; {} of them may be used", cores);
  if (quota && *quota < cores) why += fmt::format("; the cgroup allows {:.1f}", *quota);
  return why.empty() ? why : fmt::format("of {} core{}{}", machine_cores, machine_cores == 1 ? "" : "s", why);
}

Processors usable_processors(const fs::path& root) {
  Processors result;
  result.allowed = affinity();
  result.cores = cores_of(result.allowed, root);
  const auto online = list_of(first_line(root / "sys/devices/system/cpu/online"));
  result.machine_cores = std::max(result.cores, cores_of(online, root));
  result.quota = smallest_quota(root);
  if (result.quota) *result.quota /= sharers_of_quota;
  return result;
}

QuotaShare::QuotaShare(int sharers) : before_(sharers_of_quota) { sharers_of_quota = std::max(1, sharers); }
QuotaShare::~QuotaShare() { sharers_of_quota = before_; }

}  // namespace qfw
