#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace qfw::cuda {

/// Compiled code in a folder, so that it is compiled once a machine. A file appears by rename and carries a checksum; one that
/// is damaged counts as missing and is removed. Several processes may share a folder. Nothing here ends a run: a folder that
/// cannot be written to is told once and done without.
class CodeCache {
 public:
  struct Options {
    std::filesystem::path folder;                      ///< empty: keep nothing
    std::uint64_t most_bytes = 256 << 20;              ///< of all files together; those that were not used for longest go first
    std::function<void(const std::string& line)> say;  ///< left out: stderr
  };
  explicit CodeCache(Options options);

  /// $XDG_CACHE_HOME/qfw/cubins, or ~/.cache/qfw/cubins; empty where neither is set.
  static std::filesystem::path default_folder();
  /// A name for what was made of all of these.
  static std::string key_of(std::span<const std::string_view> parts);

  std::optional<std::string> read(const std::string& key);
  void write(const std::string& key, std::string_view code);
  /// Removes files until the bound holds: after the last write() of several.
  void trim();

 private:
  std::filesystem::path file_of(const std::string& key) const;
  void give_up_writing(std::string_view why);

  Options options_;
  bool writable_ = true;
};

}  // namespace qfw::cuda
