#include "plugin/tag.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/library_info.hpp>

#include "qfw/error.h"
#include "qfw/plugin.h"
#include "qfw/regular_file.h"

namespace qfw {
namespace {

constexpr char separator = '\x01';
constexpr std::string_view tag_begin = "\x01QFW-PLUGIN\x01", tag_end = "\x01QFW-END\x01";

std::optional<std::string> contents(const std::filesystem::path& file) try {
  return read_text(file);
} catch (const Error&) {
  return std::nullopt;
}

std::vector<std::string> split(std::string_view text, std::string_view by) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t end = text.find(by);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + by.size());
  }
}

/// The text of `.field = "..." "..."` in the source of a manifest's initialiser; empty if it is not written as literals.
std::string literal_of(std::string_view source, std::string_view field) {
  std::size_t at = source.find(fmt::format(".{}", field));
  if (at == std::string_view::npos) return {};
  at += field.size() + 1;
  at = source.find_first_not_of(" \t", at);
  if (at == std::string_view::npos || source[at] != '=') return {};
  std::string text;
  while ((at = source.find_first_not_of(" \t", at + 1)) != std::string_view::npos && source[at] == '"') {
    while (++at < source.size() && source[at] != '"') {
      if (source[at] == '\\' && at + 1 < source.size()) ++at;
      text += source[at];
    }
  }
  return text;
}

std::optional<PluginTag> find_tag(const std::string& bytes) {
  const auto begin =
      std::search(bytes.begin(), bytes.end(), std::boyer_moore_horspool_searcher(tag_begin.begin(), tag_begin.end()));
  if (begin == bytes.end()) return std::nullopt;
  const std::string_view rest = std::string_view(bytes).substr(begin - bytes.begin() + tag_begin.size());
  const std::vector<std::string> parts = split(rest.substr(0, rest.find(tag_end)), std::string_view(&separator, 1));
  if (rest.find(tag_end) == std::string_view::npos || parts.size() < 3) return std::nullopt;

  PluginTag tag{.abi = parts[0], .fingerprint = parts[1], .provides = {}, .description = {}, .version = {}, .licence = {}};
  std::istringstream words(parts[2]);
  for (std::string word; words >> word;) {
    const std::size_t colon = word.find(':');
    if (colon == std::string::npos) return std::nullopt;
    tag.provides.emplace_back(word.substr(0, colon), word.substr(colon + 1));
  }
  if (parts.size() > 3) {
    tag.description = literal_of(parts[3], "description");
    tag.version = literal_of(parts[3], "version");
    tag.licence = literal_of(parts[3], "licence");
  }
  return tag;
}

/// Whether the file exports the manifest, asked of its symbol table; a message if that cannot be read.
std::string check_symbol(const std::filesystem::path& file) {
  const std::string wanted = QFW_STRINGIZE(QFW_MANIFEST_SYMBOL);
  try {
    boost::dll::library_info info(file);
    const std::vector<std::string> symbols = info.symbols();
    if (std::find(symbols.begin(), symbols.end(), wanted) != symbols.end()) return {};
    return fmt::format("no manifest: it does not export {}; a plugin says QFW_PLUGIN once", wanted);
  } catch (const std::ios_base::failure&) {
    return "truncated: its symbol table lies beyond the end of the file";
  } catch (const std::exception& error) {
    return fmt::format("not a shared library of this machine: {}", error.what());
  }
}

}  // namespace

std::string fingerprint_difference(std::string_view found, std::string_view expected) {
  std::map<std::string, std::pair<std::string, std::string>> parts;
  const auto fill = [&parts](std::string_view text, std::string std::pair<std::string, std::string>::*side) {
    for (const std::string& part : split(text, "; ")) {
      const std::size_t space = part.find(' ');
      parts[part.substr(0, space)].*side = space == std::string::npos ? "yes" : part.substr(space + 1);
    }
  };
  fill(found, &std::pair<std::string, std::string>::first);
  fill(expected, &std::pair<std::string, std::string>::second);
  std::string text;
  for (const auto& [name, sides] : parts) {
    if (sides.first == sides.second) continue;
    if (!text.empty()) text += ", ";
    text += fmt::format("{}: found {}, expected {}", name, sides.first.empty() ? "nothing" : sides.first,
                        sides.second.empty() ? "nothing" : sides.second);
  }
  return text;
}

PluginFile read_plugin_file(const std::filesystem::path& file) {
  PluginFile result;
  const std::optional<std::string> bytes = contents(file);
  if (!bytes) {
    result.problem = "cannot be read";
    return result;
  }
  if (!bytes->starts_with("\x7f"
                          "ELF")) {
    result.problem =
        bytes->empty() ? "not a library: the file is empty" : "not a library: the file does not begin with \\x7fELF";
    return result;
  }
  const std::optional<PluginTag> tag = find_tag(*bytes);
  if (tag) result.tag = *tag;

  const std::string symbol_problem = check_symbol(file);
  if (!tag) {
    result.problem = symbol_problem.empty() ? "no tag: it does not say what it provides" : symbol_problem;
  } else if (tag->abi != QFW_STRINGIZE(QFW_ABI_VERSION)) {
    result.problem = fmt::format("plugin ABI: found {}, expected {}; build it against this qfw", tag->abi, QFW_ABI_VERSION);
  } else if (const std::string difference = fingerprint_difference(tag->fingerprint, QFW_FINGERPRINT); !difference.empty()) {
    result.problem = fmt::format("built differently: {}; build it against this qfw", difference);
  } else {
    result.problem = symbol_problem;
  }
  return result;
}

}  // namespace qfw
