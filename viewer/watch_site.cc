#include "viewer/watch_site.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "io/json.h"
#include "viewer/page.h"

namespace qfw::viewer {

namespace {

namespace json = boost::json;
namespace fs = std::filesystem;
using Reply = HttpServer::Reply;

constexpr std::size_t most_open = 16;
constexpr std::chrono::milliseconds interval{300};  // many browsers cost no more than one
constexpr std::string_view cursor_key = "cursor=", run_prefix = "/run/", update_suffix = "/update";

Reply page(HttpServer::Body text) { return {.type = "text/html; charset=utf-8", .body = std::move(text)}; }
Reply document(HttpServer::Body text) { return {.type = "application/json", .body = std::move(text)}; }
Reply document(const json::object& object) { return document(HttpServer::body_of(json_line(object))); }
Reply not_found() { return {.status = 404, .body = HttpServer::body_of("there is no such page\n")}; }
Reply bad_query() { return {.status = 400, .body = HttpServer::body_of("this query means nothing here\n")}; }

}  // namespace

HttpServer::Body TextsBeingSent::get(const std::string& name, const std::function<std::string()>& make) {
  std::erase_if(texts_, [](const auto& text) { return text.second.expired(); });
  std::weak_ptr<const std::string>& known = texts_[name];
  HttpServer::Body text = known.lock();
  if (!text) known = text = HttpServer::body_of(make());
  return text;
}

WatchSite::WatchSite(fs::path folder) : folder_(std::move(folder)), title_(json_in_utf8(folder_.string())), list_(folder_) {}

/// Decided once; until then the run, or the first of several, has not begun.
WatchSite::Mode WatchSite::mode() {
  if (mode_ != Mode::waiting) return mode_;
  if (RunReader::is_run(folder_)) return mode_ = Mode::run;
  list_.refresh();
  if (!list_.empty()) mode_ = Mode::list;
  return mode_;
}

Reply WatchSite::answer(const HttpServer::Request& request) {
  const Mode now = mode();
  if (request.path == update_suffix) {
    if (now == Mode::run) return update(folder_, request.query);
    return document({{"mode", now == Mode::list ? "list" : "waiting"}});
  }
  if (request.path.starts_with(run_prefix)) return answer_for_run(request.path.substr(run_prefix.size()), request.query);
  if (request.path == "/" || request.path == "/list") {
    if (!request.query.empty()) return bad_query();
    if (request.path == "/") {
      return page(texts_.get(now == Mode::list ? "list" : "run",
                             [&] { return now == Mode::list ? list_page(title_) : live_page(title_); }));
    }
    if (now != Mode::list) return document({{"mode", "run"}});
    list_.refresh();
    json::object summary = list_.summary();
    summary["mode"] = "list";
    return document(summary);
  }
  return not_found();
}

Reply WatchSite::answer_for_run(std::string_view rest, std::string_view query) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
  const auto run = error == std::errc() ? list_.run(number) : std::nullopt;
  rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
  if (!run || mode_ != Mode::list) return not_found();
  if (rest == update_suffix) return update(*run, query);
  if (!rest.empty()) return not_found();
  if (!query.empty()) return bad_query();
  return page(texts_.get(fmt::format("run {}", number), [&] { return live_page(json_in_utf8(run->string())); }));
}

Reply WatchSite::update(const fs::path& folder, std::string_view query) {
  Cursor cursor;
  if (!query.empty()) {
    const auto known = query.starts_with(cursor_key) ? Cursor::parse(query.substr(cursor_key.size())) : std::nullopt;
    if (!known) return bad_query();
    cursor = *known;
  }
  const Open& open = opened(folder);
  return document(texts_.get(fmt::format("{} {} {}", open.reading, cursor.text(), folder.string()), [&] {
    json::object news = open.reader->changes_since(cursor);
    news["mode"] = "run";
    return json_line(news);
  }));
}

WatchSite::Open& WatchSite::opened(const fs::path& folder) {
  auto found = std::find_if(open_.begin(), open_.end(), [&](const Open& each) { return each.folder == folder; });
  if (found == open_.end()) {
    if (open_.size() == most_open) open_.pop_back();
    open_.push_front({.folder = folder, .reader = std::make_unique<RunReader>(folder)});
  } else {
    open_.splice(open_.begin(), open_, found);
  }
  Open& open = open_.front();
  const auto now = std::chrono::steady_clock::now();
  if (!open.read || now - *open.read >= interval) {
    open.reader->refresh();
    open.read = now;
    open.reading = ++readings_;
  }
  return open;
}

}  // namespace qfw::viewer
