#include "label_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "files.h"
#include "names.h"

namespace qfw::image_folder {

namespace {

constexpr std::string_view separators = " \t,;";
constexpr const char* expected =
    "write lines of a file's name and its label, or a label for each file in the order of their sorted names";

std::string_view trimmed(std::string_view text, std::string_view what = separators) {
  const std::size_t begin = text.find_first_not_of(what);
  return begin == std::string_view::npos ? std::string_view() : text.substr(begin, text.find_last_not_of(what) - begin + 1);
}

/// Without quotes around it; a quote within is written twice.
std::string unquoted(std::string_view field) {
  if (field.size() < 2 || field.front() != '"' || field.back() != '"') return std::string(field);
  std::string result;
  for (std::size_t i = 1; i + 1 < field.size(); ++i) {
    result += field[i];
    if (field[i] == '"' && field[i + 1] == '"' && i + 2 < field.size()) ++i;
  }
  return result;
}

/// Files by name and by name without extension.
class Names {
 public:
  explicit Names(const Listing& listing) {
    const auto& files = listing.files;
    for (std::size_t i = 0; i < files.size(); ++i) names_.emplace(files[i].name.substr(0, files[i].name.rfind('.')), i);
    for (std::size_t i = 0; i < files.size(); ++i) names_[files[i].name] = i;
  }
  std::optional<std::size_t> find(std::string_view field) const {
    std::string name = unquoted(trimmed(field));
    name.erase(0, name.rfind('/') + 1);
    const auto found = names_.find(name);
    return found == names_.end() ? std::nullopt : std::optional(found->second);
  }

 private:
  std::map<std::string, std::size_t> names_;
};

struct Fields {
  std::string_view first, second;
};

/// Every way to part a line in two, the longest first field first: names may hold blanks and commas.
std::vector<Fields> partings(std::string_view text) {
  std::vector<Fields> all;
  for (std::size_t at = text.size(); at-- > 0;) {
    if (separators.find(text[at]) == std::string_view::npos) continue;
    const Fields fields{trimmed(text.substr(0, at)), trimmed(text.substr(at))};
    if (!fields.first.empty() && !fields.second.empty()) all.push_back(fields);
  }
  return all;
}

/// Names the file of a row in its first column, or its second one.
bool match(LabelList::Row& row, const Names& names, bool file_first) {
  auto all = partings(row.text);
  if (!file_first) std::ranges::reverse(all);
  for (const auto& [first, second] : all) {
    row.file = names.find(file_first ? first : second);
    if (!row.file) continue;
    row.label = unquoted(file_first ? second : first);
    return true;
  }
  return false;
}

std::string text_of(const std::filesystem::path& path) {
  const Bytes bytes = read_bytes(path, most_list);
  std::string text(reinterpret_cast<const char*>(bytes.memory.get()), bytes.size);
  const LabelList list{.path = path, .rows = {}};
  if (text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff"))
    bad_list(list, 0, "the list of labels is stored as UTF-16, as its byte order mark says", "store it as UTF-8");
  if (text.find('\0') != std::string::npos)
    bad_list(list, 0, "the list of labels holds bytes of 0: it is no text, or stored as UTF-16", "store it as UTF-8");
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  return text;
}

std::vector<LabelList::Row> rows_of(const std::string& text) {
  std::vector<LabelList::Row> rows;
  std::string_view left = text;
  for (int number = 1; !left.empty(); ++number) {
    const std::size_t end = std::min(left.find_first_of("\r\n"), left.size());
    const std::string_view line = trimmed(left.substr(0, end));
    left.remove_prefix(end);
    left.remove_prefix(left.starts_with("\r\n") ? 2 : std::min<std::size_t>(1, left.size()));
    if (!line.empty()) rows.push_back({.number = number, .text = std::string(line), .file = {}, .label = {}});
  }
  return rows;
}

/// "filename,label": neither a file nor a label is in it, nor could be meant.
bool are_titles(const LabelList::Row& row, const std::vector<std::string>& class_names) {
  const auto all = partings(row.text);
  for (const auto& [first, second] : all) {
    for (const std::string_view field : {first, second}) {
      const std::string word = unquoted(field);
      if (has_image_extension(word) || number_of(word) || std::ranges::find(class_names, word) != class_names.end())
        return false;
    }
  }
  return !all.empty();
}

bool is_label(std::string_view text, const std::vector<std::string>& class_names) {
  return number_of(text) || std::ranges::find(class_names, text) != class_names.end();
}

}  // namespace

void bad_list(const LabelList& list, int line, const std::string& what, std::string_view remedy) {
  fail(Error::Category::data, tag, what, line > 0 ? fmt::format("{}:{}", list.path.string(), line) : list.path.string(),
       remedy);
}

std::optional<std::int64_t> number_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

LabelList read_labels(const std::filesystem::path& path, const Listing& listing, const std::vector<std::string>& class_names) {
  LabelList list{.path = path, .rows = rows_of(text_of(path))};
  const Names names(listing);
  std::erase_if(list.rows, [&](LabelList::Row& row) { return row.text.starts_with('#') && !match(row, names, true); });
  if (list.rows.empty()) bad_list(list, 0, "the list of labels is empty", "write a line for every image");

  // The first two lines tell the kind of all: the first one may hold titles.
  const std::size_t looks = std::min<std::size_t>(2, list.rows.size());
  const auto some_match = [&](bool file_first) {
    return std::any_of(list.rows.begin(), list.rows.begin() + static_cast<std::ptrdiff_t>(looks),
                       [&](LabelList::Row row) { return match(row, names, file_first); });
  };
  const bool file_first = some_match(true), pairs = file_first || some_match(false);
  const bool alone_with_title = !pairs && list.rows.size() == listing.files.size() + 1 && looks == 2 &&
                                !is_label(list.rows[0].text, class_names) && is_label(list.rows[1].text, class_names);
  const bool pairs_with_titles = pairs && !match(list.rows[0], names, file_first) && are_titles(list.rows[0], class_names);
  if (alone_with_title || pairs_with_titles) list.rows.erase(list.rows.begin());
  for (LabelList::Row& row : list.rows) {
    if (!pairs) {
      row.label = unquoted(row.text);
    } else if (!match(row, names, file_first)) {
      bad_list(list, row.number, fmt::format("\"{}\" names no image of {}", row.text, listing.folders[0].string()), expected);
    }
  }
  if (!pairs && list.rows.size() != listing.files.size()) {
    bad_list(list, 0,
             fmt::format("{} labels for the {} images of {}; the first line is \"{}\"", list.rows.size(), listing.files.size(),
                         listing.folders[0].string(), list.rows[0].text),
             expected);
  }
  return list;
}

}  // namespace qfw::image_folder
