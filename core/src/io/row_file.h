#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace qfw {

/// A table of a run as text: a header, then lines, in order. It goes on over all starts of the run: lines are written with one
/// call as soon as they are known, and what is beyond the checkpoint that a start goes on from is cut off.
class RowFile {
 public:
  /// What of a file that is there stays.
  enum class Line {
    keep,
    beyond,  ///< cut off with all that follows, as it will come again
    none,    ///< cut off with all that follows, with a warning
  };
  struct Kind {
    std::string_view name;    ///< for messages: "a run's series"
    std::string_view header;  ///< the first line, with its newline
  };

  /// Opens or makes it, and keeps of it what `judge` lets stay, which is asked of one line after another, without its newline.
  /// Half a line, as a kill leaves it, is cut off. Throws Error::Category::data if it cannot be opened, is no regular file, or
  /// has another header: then it is left as it is.
  RowFile(std::filesystem::path path, const Kind& kind, const std::function<Line(std::string_view)>& judge);
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;
  ~RowFile();

  /// Whole lines. What cannot be written is warned of once, tried again with the next, and counted in the end.
  void add(std::string_view lines);
  /// Waits until what was written would survive a power cut.
  void sync();

 private:
  void keep(const Kind& kind, const std::function<Line(std::string_view)>& judge);
  void write();

  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t end_ = 0;  ///< of what is written: a failed attempt is repeated at the same place
  std::string pending_;
  std::uint64_t dropped_ = 0;
  bool failing_ = false;
};

}  // namespace qfw
