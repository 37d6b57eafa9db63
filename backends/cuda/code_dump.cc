#include "code_dump.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>

#include "code.h"

namespace qfw::cuda {
namespace {

namespace fs = std::filesystem;

bool write(const fs::path& file, std::string_view text) {
  std::ofstream out(file, std::ios::binary);
  out << text;
  return static_cast<bool>(out.flush());
}

/// Made when it is asked for first; empty where it cannot be.
const fs::path& folder() {
  static const fs::path made = [] {
    std::error_code error;
    std::string name = (fs::temp_directory_path(error) / "qfw_code_XXXXXX").string();
    if (error || mkdtemp(name.data()) == nullptr) return fs::path();
    return write(fs::path(name) / "headers.cuh", device_headers()) ? fs::path(name) : fs::path();
  }();
  return made;
}

}  // namespace

void dump_code(const KernelSource& source, const Function& function) {
  static std::mutex mutex;  // replicas load from threads of their own
  const std::lock_guard lock(mutex);
  const fs::path file = folder() / (source.name + ".cu");
  const bool written = !folder().empty() && write(file, "#include \"headers.cuh\"\n" + source.text);
  fmt::print(stderr, "{} ({}): {}; {}\n", source.name, source.about.empty() ? "no group" : source.about, function.describe(),
             written ? file.string() : "its text cannot be written to the folder of temporary files");
}

}  // namespace qfw::cuda
