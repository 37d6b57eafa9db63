#include "file.h"

#include <cstdlib>

namespace qfw::hdf5_dataset {

std::filesystem::path with_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home != nullptr && (path == "~" || path.starts_with("~/")) ? std::filesystem::path(home + path.substr(1))
                                                                    : std::filesystem::path(path);
}

std::filesystem::path file_of(const std::filesystem::path& path) {
  std::error_code error;
  const auto extension = path.extension();
  const bool file = !std::filesystem::is_directory(path, error) && (extension == ".h5" || extension == ".hdf5");
  return file ? path : path / "dataset.h5";
}

}  // namespace qfw::hdf5_dataset
