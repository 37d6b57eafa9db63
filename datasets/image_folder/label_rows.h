#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "listing.h"

namespace qfw::image_folder {

/// A list of labels as text: what says something, with its line.
struct LabelList {
  struct Row {
    int number = 0;                   ///< of the line, from 1
    std::string text;                 ///< of the line, without blanks around it
    std::optional<std::size_t> file;  ///< in the listing; none: labels alone, in the order of the files
    std::string label;
  };
  std::filesystem::path path;
  std::vector<Row> rows;
};

/// Reads lines FILE LABEL or LABEL FILE, with blanks, tabs, commas or semicolons between the two, perhaps in quotes, or LABEL
/// alone. FILE is a file's name with or without its extension, perhaps with folders before it. Comments (#), empty lines, a
/// line of titles before the others and a byte order mark are passed over; line ends are those of any system. UTF-16 is refused
/// by name.
LabelList read_labels(const std::filesystem::path& path, const Listing& listing, const std::vector<std::string>& class_names);

/// Error of a line; line 0: of the list as a whole.
[[noreturn]] void bad_list(const LabelList& list, int line, const std::string& what, std::string_view remedy);

std::optional<std::int64_t> number_of(std::string_view text);

}  // namespace qfw::image_folder
