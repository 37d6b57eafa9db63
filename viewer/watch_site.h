#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "viewer/http_server.h"
#include "viewer/run_document.h"
#include "viewer/run_list.h"

namespace qfw::viewer {

/// Who asks for a text while others are being sent it shares it with them; one that nobody is sent any more is gone.
class TextsBeingSent {
 public:
  /// `make` is called where none of that name is being sent.
  HttpServer::Body get(const std::string& name, const std::function<std::string()>& make);

 private:
  std::map<std::string, std::weak_ptr<const std::string>> texts_;
};

/// What `qfw watch` answers: `/` is the page of the run, or the list of the runs in the folder; `/update?cursor=...` what is
/// new of the run, `/list` the list as JSON, `/run/N` and `/run/N/update` a run of the list. There is nothing else.
class WatchSite {
 public:
  explicit WatchSite(std::filesystem::path folder);

  HttpServer::Reply answer(const HttpServer::Request& request);

 private:
  enum class Mode { waiting, run, list };
  struct Open {
    std::filesystem::path folder;
    std::unique_ptr<RunReader> reader;
    std::optional<std::chrono::steady_clock::time_point> read;
    std::uint64_t reading = 0;  ///< its number
  };

  Mode mode();
  HttpServer::Reply update(const std::filesystem::path& folder, std::string_view query);
  HttpServer::Reply answer_for_run(std::string_view number_and_rest, std::string_view query);
  Open& opened(const std::filesystem::path& folder);  ///< and read, not long ago

  std::filesystem::path folder_;
  std::string title_;
  Mode mode_ = Mode::waiting;
  RunList list_;
  std::list<Open> open_;  ///< those that were asked for last, first
  std::uint64_t readings_ = 0;
  TextsBeingSent texts_;
};

}  // namespace qfw::viewer
