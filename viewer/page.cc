#include "viewer/page.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <fstream>

#include "io/json.h"
#include "io/printable.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "viewer/assets.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;

constexpr std::size_t most_of_beginning = 4096;  // in which the mark lies
constexpr std::string_view mark = R"(<meta name="generator" content="qfw">)";

std::string base64_of_hexadecimal(std::string_view digits) {
  constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const auto value = [](char digit) { return static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10); };
  std::string result;
  unsigned bits = 0, count = 0;
  for (const char digit : digits) {
    bits = bits << 4 | value(digit);
    count += 4;
    if (count < 6) continue;
    count -= 6;
    result += letters[bits >> count & 63];
  }
  if (count > 0) result += letters[bits << (6 - count) & 63];
  result.append((4 - result.size() % 4) % 4, '=');
  return result;
}

std::string sources(std::span<const Asset> assets) {
  std::string result;
  for (const Asset& asset : assets) result += fmt::format(" 'sha256-{}'", base64_of_hexadecimal(asset.sha256));
  return result;
}

std::string escaped_text(std::string_view text) {
  std::string result;
  for (const char letter : text) {
    switch (letter) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += letter;
    }
  }
  return result;
}

/// JSON that cannot end the element it stands in, whatever its strings hold, and is JavaScript too.
std::string embedded_json(const json::value& value) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 5> replaced = {{
      {"<", "\\u003c"},
      {">", "\\u003e"},
      {"&", "\\u0026"},
      {"\u2028", "\\u2028"},
      {"\u2029", "\\u2029"},
  }};
  const std::string text = json_line(value);
  std::string result;
  result.reserve(text.size() + text.size() / 16);
  for (std::size_t i = 0; i < text.size();) {
    std::size_t taken = 0;
    for (const auto& [from, to] : replaced) {
      if (!text.compare(i, from.size(), from)) {
        result += to;
        taken = from.size();
      }
    }
    if (taken == 0) result += text[i];
    i += std::max<std::size_t>(taken, 1);
  }
  return result;
}

template <class Add>
void replace_place(std::string& page, std::string_view name, Add add) {
  const std::string place = fmt::format("<!--qfw:{}-->", name);
  const std::size_t at = page.find(place);
  if (at == std::string::npos) fail(Error::Category::internal, "report", fmt::format("page.html has no place for {}", name));
  std::string text;
  add(text);
  page.replace(at, place.size(), text);
}

std::string assembled(std::string_view title, const json::object& data, bool live) {
  std::string page(frame());
  replace_place(page, "policy", [&](std::string& to) {
    to = fmt::format(R"(<meta http-equiv="Content-Security-Policy" content="{}">)", content_security_policy(live));
  });
  replace_place(page, "mark", [&](std::string& to) { to = mark; });
  replace_place(page, "title", [&](std::string& to) { to = escaped_text(printable(title)); });
  replace_place(page, "styles", [](std::string& to) {
    for (const Asset& style : styles()) to += fmt::format("<style>{}</style>\n", style.text);
  });
  // Last, so that nothing is looked for in what comes from elsewhere.
  const std::string place = "<!--qfw:scripts-->";
  const std::size_t at = page.find(place);
  std::string end = page.substr(at + place.size());
  page.resize(at);
  page += fmt::format(R"(<script type="application/json" id="data">{}</script>)", embedded_json(data));
  for (const Asset& script : scripts()) page += fmt::format("\n<script>{}</script>", script.text);
  return page + end;
}

std::string title_of(const json::array& documents) {
  std::string title;
  for (const json::value& document : documents) {
    if (!title.empty()) title += ", ";
    title += document.at("name").get_string();
  }
  return title;
}

std::string read_some(std::istream& stream, std::size_t most) {
  std::string text(most, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  return text;
}

bool may_replace(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return true;  // what is no file at all is refused by those who write it
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return false;
  const std::string begin = read_some(stream, most_of_beginning);
  return begin.empty() || begin.find(mark) != std::string::npos;
}

}  // namespace

std::string content_security_policy(bool live) {
  return fmt::format("default-src 'none'; script-src{}; style-src{}; img-src data:;{} base-uri 'none'; form-action 'none'",
                     sources(scripts()), sources(styles()), live ? " connect-src 'self';" : "");
}

std::string report_page(const json::array& documents) {
  return assembled(title_of(documents), {{"mode", "report"}, {"runs", documents}}, false);
}

std::string live_page(std::string_view title) { return assembled(title, {{"mode", "live"}, {"title", title}}, true); }
std::string list_page(std::string_view title) { return assembled(title, {{"mode", "list"}, {"title", title}}, true); }

bool is_whole_page(const fs::path& file) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return false;
  std::ifstream stream(file, std::ios::binary);
  if (read_some(stream, most_of_beginning).find(mark) == std::string::npos) return false;
  const std::string_view all = frame(), end = all.substr(all.rfind('\n', all.size() - 2) + 1);
  stream.clear();
  stream.seekg(-static_cast<std::streamoff>(end.size()), std::ios::end);
  return read_some(stream, end.size()) == end;
}

void write_page(const fs::path& file, std::string_view page) {
  if (!may_replace(file)) {
    fail(Error::Category::usage, "report", "there is a file of that name that is no page of qfw's", file.string(),
         "move it away, or choose another name with --out=FILE.html");
  }
  write_text_atomically(file, page);
}

}  // namespace qfw::viewer
