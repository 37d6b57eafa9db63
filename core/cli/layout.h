#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace qfw {

/// Columns that standard output has: the terminal's, or `otherwise` where it is none.
std::size_t output_width(std::size_t otherwise = 100);

/// Where it is none, programs may read line by line.
constexpr std::size_t unlimited = std::numeric_limits<std::size_t>::max() / 2;

/// Text in lines of at most `width` columns, each behind `indent` blanks and ended; a longer word has a line of its own. Breaks
/// in the text stay. What a line of the text goes on with has `hanging` blanks more.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent, std::size_t hanging = 0);

/// The same, where a name stands before it in a column of `names`; above it, where little room would be left beside it.
std::string entry(std::string_view name, std::size_t names, std::string_view text, std::size_t width);

/// A text of several lines where they are too long: those that are prose flow together, and one in columns (a gap of two blanks
/// or more) goes on below its last one. As it is where every line fits.
std::string flowed(std::string_view text, std::size_t width);

/// All that verbs print for people goes through here: control characters that a name may hold reach no terminal. JSON has
/// escapes of its own.
void print_text(std::string_view text);

/// One column of a table, for printable texts.
struct Column {
  std::string heading{};
  bool numbers = false;    ///< to the right
  bool long_text = false;  ///< has a line of its own where it does not stand in a column
  std::vector<std::string> cells{};

  std::size_t width() const;
};
std::size_t width_of(std::span<const Column> columns);

/// Lines of a table, each ended. Columns stand side by side if `width` is enough; else there is no heading, and each row is its
/// first cell with all others that are not empty below it, behind their headings.
struct TableText {
  std::string heading;
  std::vector<std::string> rows;
};
TableText table_text(std::span<const Column> columns, std::size_t width);
std::string table(std::span<const Column> columns, std::size_t width);

/// At most so many columns of a text, `...` in place of the rest.
std::string shortened(std::string_view text, std::size_t width);
/// The same of a path, whose end says more than its beginning.
std::string shortened_path(std::string_view path, std::size_t width);
/// Shortens the paths in the first column as far as the table needs to be no wider than `width`, but to no less than its
/// heading.
void fit_paths(std::span<Column> columns, std::size_t width);

}  // namespace qfw
