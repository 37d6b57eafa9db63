#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "qfw/lowering/places.h"

/// ONNX Runtime, opened at run time: nothing of it is linked, and its headers are not needed.
namespace qfw::onnxruntime {

/// Its library, open. It is never closed: threads of it may be in use until the process ends.
struct Library {
  std::string file, version;               ///< where it was found; "1.32.0"
  const void* const* functions = nullptr;  ///< of version 11 of its C API; the order is fixed, later versions only append
};

/// What a search depends on besides the file system; tests make up their own.
struct Surroundings {
  std::string option;  ///< backend.library: a file, or a folder with one
  lowering::EnvironmentVariable environment;
  std::filesystem::path deps;        ///< where scripts/setup.sh puts it; empty: this is not the tree it was built in
  std::filesystem::path root = "/";  ///< of the system's folders
  bool loader = true;                ///< whether the loader may search by itself

  static Surroundings real(std::string option);
};

/// What the option `library` of the recipe's [backend] names, else QFW_ONNXRUNTIME, is taken or refused. Without either it is
/// looked for in this order, and the first one that opens and is not too old is taken:
/// 1. .deps of the tree that qfw was built in;
/// 2. onnxruntime/capi among the packages of each Python (lowering::package_folders);
/// 3. the loader's own search: LD_LIBRARY_PATH, ldconfig;
/// 4. the system's folders of libraries.
/// Throws one Error::Category::device that says each place where it was looked for, what was there, and what to install.
Library find_library(const Surroundings& surroundings);

}  // namespace qfw::onnxruntime
