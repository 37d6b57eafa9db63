#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace qfw::viewer {

/// Answers GET and HEAD, and nothing else, to browsers that name it as it is named; one thread serves all.
///
/// What others may send is bounded: a request's header by 8 KiB and 100 fields (431), no body (413), a time for each request
/// and each 64 KiB of an answer (then the connection is closed), so many connections (503). A Host that is neither loopback nor
/// the address served, as a foreign page's name that was pointed here would be, is refused (403), as is the request of another
/// origin. No path is ever taken for a file's name: what there is decides the handler.
class HttpServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    std::uint16_t port = 0;           ///< 0: any that is free
    std::uint16_t further_ports = 0;  ///< so many after it are tried where it is taken
    std::string policy;               ///< Content-Security-Policy of every answer; without frame-ancestors
    std::size_t most_connections = 64;
    std::chrono::milliseconds patience{10'000};
  };
  struct Request {
    std::string_view path;   ///< without the query; not decoded
    std::string_view query;  ///< behind the question mark
  };
  using Body = std::shared_ptr<const std::string>;  ///< shared by all who are being sent it
  static Body body_of(std::string text);
  struct Reply {
    unsigned status = 200;
    std::string type = "text/plain; charset=utf-8";
    Body body{};  ///< none: an empty one
  };
  using Handler = std::function<Reply(const Request&)>;

  /// Listens. Throws Error::Category::usage for an address that is none or not this machine's, and for a port that is taken.
  HttpServer(Options options, Handler handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();

  std::uint16_t port() const;
  std::string url() const;
  bool is_loopback() const;

  enum class End { stopped, signal };
  /// Serves until stop() or SIGINT, SIGTERM or SIGHUP.
  End run();
  void stop();  ///< from any thread

  struct Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfw::viewer
