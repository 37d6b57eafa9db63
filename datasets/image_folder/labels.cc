#include "labels.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>

#include "files.h"

namespace qfw::image_folder {

namespace {

constexpr std::string_view blank = " \t\r,";

[[noreturn]] void wrong(const LabelList& list, int line, const std::string& what, const char* remedy) {
  fail(Error::Category::data, tag, what, line > 0 ? fmt::format("{}:{}", list.path.string(), line) : list.path.string(),
       remedy);
}

struct Pair {
  std::string_view file, label;
};
Pair split_line(std::string_view text) {
  const std::size_t end = text.find_first_of(blank);
  if (end == std::string_view::npos) return {{}, text};
  return {text.substr(0, end), text.substr(text.find_first_not_of(blank, end))};
}

std::string_view stem(std::string_view name) { return name.substr(0, name.rfind('.')); }

/// Files by name and by name without extension.
std::map<std::string_view, std::size_t> names_of(const Listing& listing) {
  std::map<std::string_view, std::size_t> names;
  for (std::size_t i = 0; i < listing.files.size(); ++i) names.emplace(stem(listing.files[i].name), i);
  for (std::size_t i = 0; i < listing.files.size(); ++i) names[listing.files[i].name] = i;
  return names;
}

/// Whether lines name files; the first one tells.
bool has_pairs(const LabelList& list, const std::map<std::string_view, std::size_t>& names) {
  return !list.lines.empty() && names.contains(split_line(list.lines.front().text).file);
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

std::int64_t label_of(std::string_view text, const std::map<std::string_view, std::int64_t>& classes, const LabelList& list,
                      int line) {
  if (const auto found = classes.find(text); found != classes.end()) return found->second;
  const auto number = number_of(text);
  const auto count = static_cast<std::int64_t>(classes.size());
  if (!number) {
    wrong(list, line, fmt::format("\"{}\" is not the name of a class", text),
          "a label is a class folder's name or a number from 0");
  }
  if (*number < 0 || *number >= count) {
    wrong(list, line, fmt::format("label {} of {} classes, which count from 0", *number, count),
          "the numbers are places in the sorted list of classes; ImageNet's own ground truth file counts otherwise");
  }
  return *number;
}

}  // namespace

LabelList read_labels(const std::filesystem::path& path) {
  const Bytes bytes = read_bytes(path);
  LabelList list{.path = path, .lines = {}};
  std::string_view text(reinterpret_cast<const char*>(bytes.memory.get()), bytes.size);
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::size_t begin = line.find_first_not_of(blank);
    if (begin == std::string_view::npos) continue;
    line = line.substr(begin, line.find_last_not_of(blank) - begin + 1);
    list.lines.push_back({number, std::string(line)});
  }
  if (list.lines.empty()) wrong(list, 0, "the list of labels is empty", "write a line for every image");
  return list;
}

void label_files(Listing& listing, const LabelList& list, const std::vector<std::string>& class_names) {
  std::map<std::string_view, std::int64_t> classes;
  for (std::size_t i = 0; i < class_names.size(); ++i) classes.emplace(class_names[i], static_cast<std::int64_t>(i));
  const auto names = names_of(listing);
  const bool pairs = has_pairs(list, names);
  if (!pairs && list.lines.size() != listing.files.size()) {
    wrong(
        list, 0,
        fmt::format("{} labels for the {} images of {}", list.lines.size(), listing.files.size(), listing.folders[0].string()),
        "write a label for each, in the order of their sorted names, or lines of a file's name and its label");
  }
  std::vector<bool> labelled(listing.files.size());
  for (std::size_t i = 0; i < list.lines.size(); ++i) {
    const auto& [line, text] = list.lines[i];
    std::size_t file = i;
    std::string_view label = text;
    if (pairs) {
      const Pair pair = split_line(text);
      const auto found = names.find(pair.file);
      if (found == names.end()) {
        wrong(list, line, fmt::format("\"{}\" is no image of {}", pair.file, listing.folders[0].string()),
              "write lines of a file's name and its label");
      }
      file = found->second, label = pair.label;
    }
    if (labelled[file])
      wrong(list, line, fmt::format("{} has a label already", listing.files[file].name), "remove one of them");
    labelled[file] = true;
    listing.files[file].label = label_of(label, classes, list, line);
  }
  if (const auto missing = std::ranges::find(labelled, false); missing != labelled.end()) {
    wrong(list, 0, fmt::format("{} has no label", listing.path(static_cast<std::size_t>(missing - labelled.begin())).string()),
          "add a line for it, or remove the file");
  }
}

std::vector<std::string> classes_of(const Listing& listing, const LabelList& list) {
  const bool pairs = has_pairs(list, names_of(listing));
  std::set<std::string> names;
  std::int64_t largest = -1;
  for (const auto& line : list.lines) {
    const std::string_view label = pairs ? split_line(line.text).label : std::string_view(line.text);
    names.emplace(label);
    largest = std::max(largest, number_of(label).value_or(std::int64_t{1} << 62));
  }
  if (largest >= std::int64_t{1} << 31 || largest < 0) return {names.begin(), names.end()};
  std::vector<std::string> numbers;
  for (std::int64_t i = 0; i <= largest; ++i) numbers.push_back(std::to_string(i));
  return numbers;
}

}  // namespace qfw::image_folder
