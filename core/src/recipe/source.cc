#include "recipe/source.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <span>
#include <tuple>
#include <utility>

#include "qfw/error.h"
#include "util/text.h"

namespace qfw {

std::filesystem::path expand_home(std::string_view path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  std::string home;
  if (const char* set = std::getenv("HOME"); set != nullptr && *set != '\0') {
    home = set;
  } else if (const passwd* user = getpwuid(getuid())) {
    home = user->pw_dir;
  } else {
    return path;
  }
  return home + std::string(path.substr(1));
}

namespace recipe {
namespace {

constexpr std::string_view blank = " \t\r\f\v";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blank) - first + 1);
}

/// Without a comment: a # at the start, or after white space.
std::string_view without_comment(std::string_view line) {
  for (std::size_t at = line.find('#'); at != std::string_view::npos; at = line.find('#', at + 1)) {
    if (at == 0 || blank.find(line[at - 1]) != std::string_view::npos) return trim(line.substr(0, at));
  }
  return trim(line);
}

bool only_comment(std::string_view rest) {
  rest = trim(rest);
  return rest.empty() || rest.front() == '#';
}

/// The first line of `text`, which loses it: lines end with LF, CR LF or, as once on Macs, CR.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end);
  text.remove_prefix(text.starts_with("\r\n") ? 2 : std::min<std::size_t>(1, text.size()));
  return line;
}

/// A quoted text at the start of `text`: what it stands for and what follows it; nothing if it never ends or has an unknown
/// escape.
std::optional<std::pair<std::string, std::string_view>> unquote(std::string_view text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') return std::pair{value, text.substr(i + 1)};
    if (text[i] != '\\') {
      value += text[i];
      continue;
    }
    if (++i == text.size()) break;
    switch (text[i]) {
      case 'n':
        value += '\n';
        break;
      case 't':
        value += '\t';
        break;
      case 'r':
        value += '\r';
        break;
      case '"':
      case '\\':
        value += text[i];
        break;
      default:
        return std::nullopt;
    }
  }
  return std::nullopt;
}

constexpr const char* bad_quotes = "a quoted value ends with \" and knows \\\" \\\\ \\n \\r \\t only, then at most a comment";

}  // namespace

std::string Place::str() const {
  if (line > 0) return fmt::format("{}:{}", file, line);
  return origin.empty() ? file : fmt::format("{}: {}", file, origin);
}

std::string full_name(std::string_view section, std::string_view key) {
  if (key.empty()) return fmt::format("[{}]", section);
  return section.empty() ? std::string(key) : fmt::format("{}.{}", section, key);
}

std::string Entry::full_name() const { return recipe::full_name(section, written.empty() ? key : written); }

const Entry* Source::find(std::string_view section, std::string_view key) const {
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return e.section == section && e.key == key; });
  return found == entries.end() ? nullptr : &*found;
}

void Problems::add(const Place& place, std::string_view section, std::string_view key, const std::string& what) {
  const std::string name = section.empty() && key.empty() ? "" : shown(full_name(section, key)) + ": ";
  list_.push_back({place, fmt::format("{}: {}{}", place.str(), name, what)});
  sections_.emplace(section);
}

void Problems::add(const Entry& entry, const std::string& what) {
  add(entry.place, entry.section, entry.written.empty() ? entry.key : entry.written, what);
}

void Problems::caused_by(const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  if (known != nullptr && known->category() == Error::Category::plugin) category_ = Error::Category::plugin;
}

void Problems::raise() const {
  if (list_.empty()) return;
  std::vector<Problem> sorted = list_;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Problem& a, const Problem& b) {
    return std::tie(a.place.rank, a.place.file, a.place.line) < std::tie(b.place.rank, b.place.file, b.place.line);
  });
  constexpr std::size_t told = 50;
  std::string message;
  for (const Problem& problem : std::span<const Problem>(sorted).first(std::min(told, sorted.size()))) {
    message += (message.empty() ? "" : "\n") + problem.text;
  }
  if (sorted.size() > told) message += fmt::format("\nand {} more", sorted.size() - told);
  throw Error(category_, message);
}

Source read_ini(std::string_view text, const std::string& label, int rank, Problems& problems) {
  Source source{label, {}, {}};
  std::map<std::pair<std::string, std::string>, int> lines;
  std::string section;
  bool skipping = false;  // below a header that could not be read
  for (int number = 1; !text.empty(); ++number) {
    const std::string_view whole = trim(take_line(text)), line = without_comment(whole);
    if (line.empty() || line.front() == ';') continue;
    const Place place{label, number, {}, rank};

    if (line.front() == '[') {
      const std::string_view inside = trim(line.substr(1, line.size() - 2));
      skipping = line.find(']') != line.size() - 1 || inside.empty();
      if (skipping) {
        problems.add(place, "", "", fmt::format("'{}' is not a section header; write [name]", shown(line)));
      } else {
        section = inside;
        source.headers.push_back({section, "", {}, place});
      }
      continue;
    }
    if (skipping) continue;

    const std::size_t equals = line.find('=');
    std::string key(trim(line.substr(0, equals)));
    if (equals == std::string_view::npos || key.empty()) {
      problems.add(place, "", "", fmt::format("'{}' is neither a section header nor key = value", shown(line)));
      continue;
    }
    Text value{std::string(trim(line.substr(equals + 1)))};
    if (value.value.starts_with('"')) {  // where a # is no comment
      const auto quoted = unquote(trim(whole.substr(equals + 1)));
      if (!quoted || !only_comment(quoted->second)) {
        problems.add(place, section, key, bad_quotes);
        continue;
      }
      value = {quoted->first, true};
    }
    const auto [first, fresh] = lines.try_emplace({section, key}, number);
    if (!fresh) {
      problems.add(place, section, key, fmt::format("given twice, first in line {}", first->second));
      continue;
    }
    const int header = section.empty() ? -1 : static_cast<int>(source.headers.size()) - 1;
    source.entries.push_back({section, std::move(key), std::move(value), place, header});
  }
  return source;
}

Source read_overrides(const std::vector<std::string>& overrides, int rank, Problems& problems) {
  Source source{"command line", {}, {}};
  const Place place{source.label, 0, {}, rank};
  for (const std::string& text : overrides) {
    std::string_view left = text;
    if (left.starts_with("--")) left.remove_prefix(2);
    const std::size_t equals = left.find('=');
    if (equals == std::string_view::npos || trim(left.substr(0, equals)).empty()) {
      problems.add(place, "", "", fmt::format("'{}' is not of the form section.key=value", shown(text)));
      continue;
    }
    const std::string_view right = trim(left.substr(equals + 1));
    left = trim(left.substr(0, equals));
    const std::size_t dot = left.rfind('.');
    Entry entry{"", std::string(left), {std::string(right)}, place};
    if (dot != std::string_view::npos) {
      entry.section = left.substr(0, dot);
      entry.key = left.substr(dot + 1);
    }
    if (right.starts_with('"')) {
      const auto quoted = unquote(right);
      if (!quoted || !trim(quoted->second).empty()) {
        problems.add(entry, bad_quotes);
        continue;
      }
      entry.text = {quoted->first, true};
    }
    std::erase_if(source.entries, [&](const Entry& e) { return e.section == entry.section && e.key == entry.key; });
    if (source.headers.empty() || source.headers.back().section != entry.section) {
      source.headers.push_back({entry.section, "", {}, place});
    }
    entry.header = static_cast<int>(source.headers.size()) - 1;
    source.entries.push_back(std::move(entry));
  }
  return source;
}

std::string quote(std::string_view text, bool force) {
  const bool plain =
      !text.empty() && trim(text) == text && text.front() != '"' && text.find_first_of("#\n\r\t") == std::string_view::npos;
  if (plain && !force) return std::string(text);
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      case '"':
      case '\\':
        quoted += '\\';
        quoted += c;
        break;
      default:
        quoted += c;
    }
  }
  return quoted + '"';
}

}  // namespace recipe
}  // namespace qfw
