#include "viewer/csv_tail.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <vector>

namespace qfw::viewer {

namespace {

constexpr std::size_t block = 1 << 20, most_cells = 64, remembered = 256;

/// Without quotes, which no writer here uses: a comma ends a cell.
std::vector<std::string_view> cells_of(std::string_view line) {
  std::vector<std::string_view> cells;
  while (cells.size() < most_cells) {
    const std::size_t comma = line.find(',');
    cells.push_back(line.substr(0, comma));
    if (comma == std::string_view::npos) break;
    line.remove_prefix(comma + 1);
  }
  return cells;
}

std::string fault_of_end(std::uint64_t bytes, bool has_header, bool ends_with_line) {
  if (bytes == 0) return "it is empty";
  if (!has_header) return "it is no table: it has no whole line";
  return ends_with_line ? "" : "its last line is cut off";
}

}  // namespace

bool CsvTail::continues(const FolderFile& file) const {
  if (file.mark().inode != inode_ || file.mark().bytes < offset_) return false;
  return file.read(offset_ - before_.size(), before_.size()) == before_;
}

std::unique_ptr<FolderFile> CsvTail::follow(const Folder& folder, const Listener& listener) {
  ending_.clear();
  auto file = folder.open(name_);
  if (!file || !continues(*file)) {
    if (offset_ > 0) listener.begin({});
    offset_ = 0;
    before_.clear();
    has_header_ = false;
  }
  if (!file) return nullptr;
  if (file->mark().bytes > most_bytes_) {
    throw FileProblem(fmt::format("it has {} bytes; at most {} are read", file->mark().bytes, most_bytes_));
  }
  inode_ = file->mark().inode;
  const std::uint64_t seen = file->mark().bytes;  // what comes while this is read waits for the next time
  while (offset_ < seen) {
    const std::string text = file->read(offset_, static_cast<std::size_t>(std::min<std::uint64_t>(block, seen - offset_)));
    const std::size_t end = text.rfind('\n');
    if (end == std::string::npos) {
      if (text.size() == block) throw FileProblem("it is no table: it has a line of more than a million bytes");
      ending_ = fault_of_end(seen, has_header_, false);
      return file;  // a line that is being written
    }
    for (std::string_view rest(text.data(), end + 1); !rest.empty();) {
      const std::size_t stop = rest.find('\n');
      tell(rest.substr(0, stop), listener);
      rest.remove_prefix(stop + 1);
    }
    offset_ += end + 1;
    before_ = text.substr(end + 1 - std::min(end + 1, remembered), std::min(end + 1, remembered));
  }
  ending_ = fault_of_end(seen, has_header_, true);
  return file;
}

void CsvTail::tell(std::string_view line, const Listener& listener) {
  const auto cells = cells_of(line);
  (has_header_ ? listener.row : listener.begin)(cells);
  has_header_ = true;
}

std::string fault_of_table(const FolderFile& file, std::span<const std::string_view> columns) {
  constexpr std::size_t longest_header = 4096;
  const std::uint64_t bytes = file.mark().bytes;
  const std::string begin = file.read(0, longest_header);
  const std::size_t end = begin.find('\n');
  if (auto fault = fault_of_end(bytes, end != std::string::npos, true); !fault.empty()) return fault;
  const auto header = cells_of(std::string_view(begin).substr(0, end));
  for (const std::string_view column : columns) {  // before its end, which of what is no table says nothing
    if (std::ranges::find(header, column) == header.end()) return fmt::format("its first line names no column `{}`", column);
  }
  return fault_of_end(bytes, true, file.read(bytes - 1, 1) == "\n");
}

double number_in(std::string_view cell) {
  constexpr double none = std::numeric_limits<double>::quiet_NaN();
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  const bool whole = error == std::errc() && end == cell.data() + cell.size();
  return whole && std::isfinite(value) ? value : none;
}

}  // namespace qfw::viewer
