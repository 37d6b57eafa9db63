#include "layout.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "io/printable.h"

namespace qfw {
namespace {

/// A word and the blanks before it are taken from the front of `line`.
std::string_view take_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

constexpr std::size_t column_gap = 2;

template <class CellOf>
std::string side_by_side(std::span<const Column> columns, CellOf cell_of) {
  std::string line;
  for (const Column& column : columns) {
    const std::string cell = cell_of(column);
    const std::string blanks(column.width() - columns_of(cell), ' ');
    line += (column.numbers ? blanks + cell : cell + blanks) + std::string(column_gap, ' ');
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return line + "\n";
}

std::string stacked(std::span<const Column> columns, std::size_t row, std::size_t width) {
  constexpr std::size_t indent = 4;
  std::string text = wrapped(columns.front().cells[row], width, 0);
  std::string short_ones;
  const auto end_line = [&] { text += wrapped(std::exchange(short_ones, {}), width, indent); };
  for (const Column& column : columns.subspan(1)) {
    const std::string& cell = column.cells[row];
    if (cell.empty()) continue;
    if (column.long_text) end_line();
    short_ones += (short_ones.empty() ? "" : ", ") + column.heading + (column.heading.empty() ? "" : " ") + cell;
    if (column.long_text) end_line();
  }
  end_line();
  return text;
}

}  // namespace

std::size_t output_width(std::size_t otherwise) {
  constexpr std::size_t narrowest = 40;
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return otherwise;
  return std::max<std::size_t>(size.ws_col, narrowest);
}

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent, std::size_t hanging) {
  std::string result;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    std::string current, blanks(indent, ' ');
    for (std::string_view word = take_word(line); !word.empty(); word = take_word(line)) {
      if (!current.empty() && blanks.size() + columns_of(current) + 1 + columns_of(word) > width) {
        result += blanks + current + "\n";
        current.clear();
        blanks.resize(indent + hanging, ' ');
      }
      current += (current.empty() ? "" : " ") + std::string(word);
    }
    result += current.empty() ? "\n" : blanks + current + "\n";
  }
  return result;
}

namespace {

/// Where the last column of a line begins; 0: it has but one.
std::size_t last_column(std::string_view line) {
  const std::size_t gap = line.rfind("  "), indent = line.find_first_not_of(' ');
  return gap == std::string_view::npos || gap < indent ? 0 : gap + 2;
}

std::string in_columns(std::string_view line, std::size_t width) {
  constexpr std::size_t below = 4;
  if (columns_of(line) <= width) return std::string(line) + "\n";
  const std::size_t indent = line.find_first_not_of(' '), column = last_column(line);
  if (column == 0) return wrapped(line, width, indent, below);
  const std::string lines = wrapped(line.substr(column), width, 2 * column > width ? indent + below : column);
  std::string_view names = line.substr(0, column);
  if (2 * column <= width) return std::string(names) + lines.substr(column);
  names.remove_suffix(names.size() - names.find_last_not_of(' ') - 1);
  return std::string(names) + "\n" + lines;
}

}  // namespace

std::string flowed(std::string_view text, std::size_t width) {
  std::string result, prose;
  bool fits = true;
  const auto end_prose = [&] { result += wrapped(std::exchange(prose, {}), width, 0); };
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    fits = fits && columns_of(line) <= width;
    if (line.empty() || line.front() == ' ' || last_column(line) > 0) {
      end_prose();
      result += line.empty() ? "\n" : in_columns(line, width);
    } else {
      prose += (prose.empty() ? "" : " ") + std::string(line);
    }
  }
  end_prose();
  return fits ? std::string(text) + (text.ends_with('\n') ? "" : "\n") : result;
}

void print_text(std::string_view text) { fmt::print("{}", printable(text, line_breaks)); }

std::string entry(std::string_view name, std::size_t names, std::string_view text, std::size_t width) {
  constexpr std::size_t before = 2, gap = 2, below = 4;
  const std::size_t indent = before + names + gap;
  if (2 * indent > width) return wrapped(name, width, before) + wrapped(text, width, below);
  const std::string lines = wrapped(text, width, indent);
  const std::string blanks(names - std::min(columns_of(name), names) + gap, ' ');
  return std::string(before, ' ') + std::string(name) + (lines.empty() ? "\n" : blanks + lines.substr(indent));
}

std::size_t Column::width() const {
  std::size_t widest = columns_of(heading);
  for (const std::string& cell : cells) widest = std::max(widest, columns_of(cell));
  return widest;
}

std::size_t width_of(std::span<const Column> columns) {
  std::size_t width = 0;
  for (const Column& column : columns) width += (width == 0 ? 0 : column_gap) + column.width();
  return width;
}

TableText table_text(std::span<const Column> columns, std::size_t width) {
  TableText result;
  const std::size_t rows = columns.empty() ? 0 : columns.front().cells.size();
  const bool fits = width_of(columns) <= width;
  const bool has_heading = std::ranges::any_of(columns, [](const Column& column) { return !column.heading.empty(); });
  if (fits && has_heading) result.heading = side_by_side(columns, [](const Column& column) { return column.heading; });
  for (std::size_t row = 0; row < rows; ++row) {
    const auto cell = [row](const Column& column) { return column.cells[row]; };
    result.rows.push_back(fits ? side_by_side(columns, cell) : stacked(columns, row, width));
  }
  return result;
}

std::string table(std::span<const Column> columns, std::size_t width) {
  const TableText parts = table_text(columns, width);
  std::string text = parts.heading;
  for (const std::string& row : parts.rows) text += row;
  return text;
}

std::string shortened(std::string_view text, std::size_t width) {
  if (columns_of(text) <= width) return std::string(text);
  constexpr std::string_view dots = "...";
  std::string kept;
  for (std::size_t left = width > dots.size() ? width - dots.size() : 0;;) {
    const std::string_view next = first_character(text).bytes;
    if (columns_of(next) > left) break;
    left -= columns_of(next);
    kept += next;
    text.remove_prefix(next.size());
  }
  return kept + std::string(dots.substr(0, std::min(width, dots.size())));
}

std::string shortened_path(std::string_view path, std::size_t width) {
  constexpr std::string_view dots = "...";
  if (columns_of(path) <= width) return std::string(path);
  while (!path.empty() && columns_of(path) + dots.size() > width) path.remove_prefix(first_character(path).bytes.size());
  return std::string(dots.substr(0, std::min(width, dots.size()))) + std::string(path);
}

void fit_paths(std::span<Column> columns, std::size_t width) {
  Column& paths = columns.front();
  const std::size_t others = width_of(columns) - paths.width();
  const std::size_t room = std::max(width - std::min(width, others), columns_of(paths.heading));
  for (std::string& path : paths.cells) path = shortened_path(path, room);
}

}  // namespace qfw
