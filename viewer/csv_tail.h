#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "viewer/folder_files.h"

namespace qfw::viewer {

using Cells = std::span<const std::string_view>;

/// Follows a table that grows: each whole line is told once, the header first. A file that was replaced or cut, as by a run
/// that goes on from a checkpoint, is told from its beginning again.
class CsvTail {
 public:
  /// `begin` comes with the header, and with none where there is no longer a file.
  struct Listener {
    std::function<void(Cells)> begin, row;
  };

  CsvTail(std::string name, std::uint64_t most_bytes) : name_(std::move(name)), most_bytes_(most_bytes) {}

  const std::string& name() const { return name_; }
  /// Reads what is new; the file, or null if there is none. Throws FileProblem.
  std::unique_ptr<FolderFile> follow(const Folder& folder, const Listener& listener);
  /// What is wrong with its end, if nobody writes to it any more: "its last line is cut off". Empty: nothing.
  const std::string& ending() const { return ending_; }

 private:
  bool continues(const FolderFile& file) const;
  void tell(std::string_view line, const Listener& listener);

  std::string name_;
  std::uint64_t most_bytes_;
  ino_t inode_ = 0;
  std::uint64_t offset_ = 0;
  std::string before_;  ///< the last bytes before `offset_`: others there now mean another file
  bool has_header_ = false;
  std::string ending_;
};

/// What can be seen to be wrong with a table that nobody writes to any more from its first line, which is to name `columns`,
/// and its end; empty: nothing. Throws FileProblem.
std::string fault_of_table(const FolderFile& file, std::span<const std::string_view> columns);

/// The number in a cell; NaN for an empty one, for what is none and for what is not finite.
double number_in(std::string_view cell);

}  // namespace qfw::viewer
