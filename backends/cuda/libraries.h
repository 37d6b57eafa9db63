#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

/// NVIDIA's libraries, opened at run time: nothing of them is linked.
namespace qfw::cuda {

/// A shared library that is open. It is never closed: threads and static objects of it may be in use until the process ends.
class Library {
 public:
  Library() = default;
  Library(void* handle, std::string name);

  explicit operator bool() const { return handle_ != nullptr; }
  const std::string& name() const { return name_; }  ///< as it was asked for: "libcudnn.so.9"
  const std::string& file() const { return file_; }  ///< where it was found
  void* find(const char* function) const;            ///< null: it has none of that name
  /// Throws, naming the file, if it has none of that name.
  template <class F>
  void bind(F*& to, const char* function) const {
    to = reinterpret_cast<F*>(get(function));
  }

 private:
  void* get(const char* function) const;

  void* handle_ = nullptr;
  std::string name_, file_;
};

/// What a search depends on besides the file system; tests make up their own.
struct Surroundings {
  std::string option;  ///< backend.libraries: folders separated by `:`
  std::function<const char*(const char* name)> environment;
  std::filesystem::path root = "/";  ///< of all folders that nobody named
  bool loader = true;                ///< whether the loader may search by itself

  static Surroundings real(std::string option);
};

/// Libraries are looked for in this order; the first one that opens and suits is taken:
/// 1. the folders of the option `libraries` of the recipe's [backend];
/// 2. those of the environment variable QFW_CUDA_LIBRARIES;
/// 3. the packages that pip installs, nvidia/*/lib, of the Python of VIRTUAL_ENV, of CONDA_PREFIX, of each python3 in PATH, and
///    those in ~/.local (not the driver: no package has it);
/// 4. the loader's own search: LD_LIBRARY_PATH, ldconfig, /usr/lib;
/// 5. folders where CUDA, WSL or a container put them: system_folders(), then /usr/local/cuda-*/lib64, newest first.
struct Place {
  std::string label;
  std::vector<std::filesystem::path> folders;  ///< that are there; of the loader's search none
  bool loader = false;
};
std::vector<Place> places(const Surroundings& surroundings, bool in_packages);
const std::vector<std::string>& system_folders();

/// One library to look for.
struct Wanted {
  std::string title;                 ///< "NVRTC, the compiler"
  std::vector<std::string> names;    ///< any of them, in order of preference within a folder
  std::string install;               ///< what to do where it is missing
  std::vector<std::string> parts{};  ///< beginnings of names of files beside it that it opens itself, opened with it
  bool in_packages = true;
  /// What is wrong with one that opened, for a person: it is made for another driver. Empty: nothing.
  std::function<std::string(const Library&)> objection{};
};

struct Search {
  Library found;                      ///< none: nothing suits
  std::vector<std::string> refusals;  ///< of files that were there: which, and why
};
Search look_for(const Wanted& wanted, const Surroundings& surroundings);

/// All that the backend needs.
struct Libraries {
  Library driver, compiler, cudnn;
  Library nccl;          ///< may be missing
  int cuda = 0;          ///< the newest CUDA that the driver serves: 13000, 12040
  std::string versions;  ///< a line for people: "driver for CUDA 13.0, NVRTC 13.0, cuDNN 9.19.0, NCCL 2.27.7"

  /// Throws one Error::Category::device that names all that is missing, each place where it was looked for, and what to
  /// install.
  static Libraries open(const Surroundings& surroundings);
};

/// For a driver that serves `cuda` (0: any).
Wanted wanted_driver();
Wanted wanted_compiler(int cuda);
Wanted wanted_cudnn(int cuda);
Wanted wanted_nccl(int cuda);

}  // namespace qfw::cuda
