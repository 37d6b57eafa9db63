#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/error.h"

namespace qfw {

/// `~` and `~/x` with the user's home folder in its place; other paths unchanged.
std::filesystem::path expand_home(std::string_view path);

namespace recipe {

/// Precedence of files; includes count down from the recipe's.
enum Rank { base_rank = 0, recipe_rank = 1000, override_rank = 2000 };

/// Where something was written.
struct Place {
  std::string file;    ///< as messages name it; "command line" is one, too
  int line = 0;        ///< 0: as a whole
  std::string origin;  ///< in a foreign file, which has no lines: what stood there
  int rank = 0;        ///< precedence of the file

  std::string str() const;  ///< "file:line", "file: origin", "file"
};

struct Text {
  std::string value;
  bool quoted = false;  ///< a quoted `none` or `4` is a text
};

struct Entry {
  std::string section, key;  ///< section "" at the top, "layer:GLOB" as written
  Text text;
  Place place;
  int header = -1;        ///< index of its section's header in Source::headers
  std::string written{};  ///< the key as written, if another spelling of `key`

  std::string full_name() const;  ///< "quantizer.weight_prec", "include"
};

/// One file's (or the command line's) entries in order, without duplicates.
struct Source {
  std::string label;
  std::vector<Entry> entries;
  std::vector<Entry> headers;  ///< key is empty

  const Entry* find(std::string_view section, std::string_view key) const;
};

std::string full_name(std::string_view section, std::string_view key);

/// Errors found so far, reported together.
class Problems {
 public:
  void add(const Place& place, std::string_view section, std::string_view key, const std::string& what);
  void add(const Entry& entry, const std::string& what);
  /// What is wrong came from this. If it is a plugin's fault and not the recipe's, the error will be Error::Category::plugin.
  void caused_by(const std::exception& error);
  bool empty() const { return list_.empty(); }
  bool in(std::string_view section) const { return sections_.contains(std::string(section)); }
  /// Throws one error, Error::Category::usage, with a line per problem, by precedence of the file, then by line. Returns if
  /// empty.
  void raise() const;

 private:
  struct Problem {
    Place place;
    std::string text;
  };
  std::vector<Problem> list_;
  std::set<std::string> sections_;
  Error::Category category_ = Error::Category::usage;
};

/// Reads INI text. A comment starts with # at the start of a line or after white space, outside quotes, or with ; at the start
/// of a line. A value in double quotes may hold anything, with \" \\ \n \r \t for what cannot stand there itself.
Source read_ini(std::string_view text, const std::string& label, int rank, Problems& problems);

/// `section.key=value` each, `layer:GLOB.key=value` too; the last of equal keys wins.
Source read_overrides(const std::vector<std::string>& overrides, int rank, Problems& problems);

/// A text as a recipe writes it: in quotes only if it must be, or if `force`.
std::string quote(std::string_view text, bool force = false);

}  // namespace recipe
}  // namespace qfw
