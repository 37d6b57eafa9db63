#pragma once

#include <chrono>
#include <filesystem>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "viewer/http_server.h"
#include "viewer/run_document.h"
#include "viewer/run_list.h"

namespace qfw::viewer {

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
  };

  Mode mode();
  HttpServer::Reply update(const std::filesystem::path& folder, std::string_view query);
  HttpServer::Reply answer_for_run(std::string_view number_and_rest, std::string_view query);
  RunReader& reader(const std::filesystem::path& folder);

  std::filesystem::path folder_;
  std::string title_;
  Mode mode_ = Mode::waiting;
  RunList list_;
  std::list<Open> open_;  ///< those that were asked for last, first
};

}  // namespace qfw::viewer
