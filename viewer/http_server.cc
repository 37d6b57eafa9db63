#include "viewer/http_server.h"

#include <fmt/format.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <csignal>
#include <optional>
#include <utility>

#include "io/log.h"
#include "qfw/error.h"

namespace qfw::viewer {

namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using Tcp = asio::ip::tcp;
using ErrorCode = beast::error_code;
using Response = http::response<http::string_body>;

constexpr std::uint32_t most_header = 8 * 1024;
constexpr std::size_t most_left_behind = 64 * 1024;
constexpr std::chrono::seconds to_say_goodbye{1};

struct HostName {
  std::string name;
  std::optional<std::uint16_t> port;
};

/// NAME, NAME:PORT, [ADDRESS] or [ADDRESS]:PORT; none for anything else.
std::optional<HostName> parse_host(std::string_view text) {
  const bool bracketed = text.starts_with('[');
  const std::size_t end = bracketed ? text.find(']') : text.find(':');
  if (bracketed && end == text.npos) return std::nullopt;
  HostName host{.name = std::string(bracketed ? text.substr(1, end - 1) : text.substr(0, end))};
  std::string_view rest = end == text.npos ? std::string_view() : text.substr(bracketed ? end + 1 : end);
  if (host.name.empty()) return std::nullopt;
  if (rest.empty()) return host;
  if (rest.front() != ':') return std::nullopt;
  rest.remove_prefix(1);
  std::uint16_t port = 0;
  const auto [last, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (error != std::errc() || last != rest.data() + rest.size()) return std::nullopt;
  host.port = port;
  return host;
}

}  // namespace

struct HttpServer::Impl {
  Impl(Options given, Handler handler)
      : options(std::move(given)), handle(std::move(handler)), acceptor(context), signals(context), pause(context) {}

  void listen();
  bool try_port(const asio::ip::address& address, std::uint16_t port);
  void accept();
  bool is_named_right(std::string_view host) const;

  std::size_t connections = 0;  // outlives them: those that wait go with the context
  Options options;
  Handler handle;
  asio::io_context context{1};
  Tcp::acceptor acceptor;
  asio::signal_set signals;
  asio::steady_timer pause;
  Tcp::endpoint endpoint;
  bool by_signal = false;
};

namespace {

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(HttpServer::Impl& server, Tcp::socket socket) : server_(server), stream_(std::move(socket)), buffer_(most_header) {
    ++server_.connections;
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { --server_.connections; }

  void read() {
    parser_.emplace();
    parser_->header_limit(most_header);
    parser_->body_limit(boost::none);  // none is read: see reply_to()
    stream_.expires_after(server_.options.patience);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](ErrorCode error, std::size_t) { self->was_read(error); });
  }

  void refuse(http::status status, std::string_view why) { write(error_reply(status, why), false); }

 private:
  static HttpServer::Reply error_reply(http::status status, std::string_view why) {
    return {.status = static_cast<unsigned>(status), .body = fmt::format("{}\n", why)};
  }

  void was_read(ErrorCode error) {
    if (!error) return answer();
    if (error == http::error::header_limit || error == http::error::buffer_overflow) {
      return refuse(http::status::request_header_fields_too_large, "the header of a request has at most 8 KiB");
    }
    const bool is_fault = error.category() == make_error_code(http::error::bad_method).category();
    if (is_fault && error != http::error::end_of_stream && error != http::error::partial_message) {
      return refuse(http::status::bad_request, "this is no HTTP request");
    }
    // Gone, or too slow: there is nobody to tell.
  }

  void answer() {
    const auto& request = parser_->get();
    const HttpServer::Reply reply = reply_to(request);
    const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
    write(reply, request.keep_alive() && !has_body && reply.status < 400, request.method() == http::verb::head);
  }

  HttpServer::Reply reply_to(const http::request<http::empty_body>& request) try {
    if (request.count(http::field::host) != 1) return error_reply(http::status::bad_request, "a request names one host");
    const std::string_view host = request[http::field::host];
    if (!server_.is_named_right(host)) {
      return error_reply(http::status::forbidden,
                         "this server does not answer to that name; use the address that `qfw watch` printed");
    }
    if (request.count(http::field::origin) > 0 && request[http::field::origin] != fmt::format("http://{}", host)) {
      return error_reply(http::status::forbidden, "pages of other servers get nothing here");
    }
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return error_reply(http::status::method_not_allowed, "only GET and HEAD");
    }
    if (parser_->chunked() || parser_->content_length().value_or(0) > 0) {
      return error_reply(http::status::payload_too_large, "a request has no body here");
    }
    const std::string_view target = request.target();
    if (!target.starts_with('/')) return error_reply(http::status::bad_request, "a target begins with a slash");
    const std::size_t mark = target.find('?');
    return server_.handle({.path = target.substr(0, mark), .query = mark == target.npos ? "" : target.substr(mark + 1)});
  } catch (const std::exception& error) {
    logger().warn("a request could not be answered: {}", error.what());
    return error_reply(http::status::internal_server_error, "this could not be answered; the watcher's terminal says why");
  }

  void write(const HttpServer::Reply& reply, bool keep, bool head = false) {
    response_ = Response(static_cast<http::status>(reply.status), 11);
    const std::string policy = server_.options.policy;
    response_.set(http::field::content_type, reply.type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("Content-Security-Policy", policy + (policy.empty() ? "" : "; ") + "frame-ancestors 'none'");
    response_.set("X-Content-Type-Options", "nosniff");
    response_.set("X-Frame-Options", "DENY");
    response_.set("Referrer-Policy", "no-referrer");
    response_.set("Cross-Origin-Resource-Policy", "same-origin");
    response_.set("Cross-Origin-Opener-Policy", "same-origin");
    if (reply.status == static_cast<unsigned>(http::status::method_not_allowed)) response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(keep);
    response_.content_length(reply.body.size());
    if (!head) response_.body() = reply.body;
    stream_.expires_after(server_.options.patience);
    http::async_write(stream_, response_, [self = shared_from_this(), keep](ErrorCode error, std::size_t) {
      if (error) return;
      keep ? self->read() : self->leave();
    });
  }

  /// What the other side still sends is read for a moment: closing over it would take the answer away.
  void leave() {
    ErrorCode ignored;
    stream_.socket().shutdown(Tcp::socket::shutdown_send, ignored);
    stream_.expires_after(to_say_goodbye);
    drain();
  }

  void drain() {
    stream_.async_read_some(asio::buffer(rest_), [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
      self->drained_ += bytes;
      if (!error && self->drained_ < most_left_behind) self->drain();
    });
  }

  HttpServer::Impl& server_;
  beast::tcp_stream stream_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  Response response_;
  std::array<char, 4096> rest_{};
  std::size_t drained_ = 0;
};

}  // namespace

bool HttpServer::Impl::try_port(const asio::ip::address& address, std::uint16_t port) {
  const Tcp::endpoint wanted(address, port);
  const auto failed = [&](const ErrorCode& error) {
    fail(Error::Category::usage, "watch",
         fmt::format("cannot listen on {}, port {}: {}", address.to_string(), port, error.message()), {},
         "choose another --port, or an --address of this machine");
  };
  ErrorCode error;
  acceptor.open(wanted.protocol(), error);
  if (error) failed(error);
  acceptor.set_option(Tcp::acceptor::reuse_address(true));
  acceptor.bind(wanted, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (!error) return true;
  acceptor.close();
  if (error != asio::error::address_in_use) failed(error);
  return false;
}

void HttpServer::Impl::listen() {
  ErrorCode error;
  const asio::ip::address address = asio::ip::make_address(options.address, error);
  if (error) {
    fail(Error::Category::usage, "watch", fmt::format("'{}' is no IP address", options.address), {},
         "give one of this machine, as --address=127.0.0.1 or --address=::1");
  }
  bool listening = false;
  const int last = std::min(options.port + options.further_ports, 65535);
  for (int port = options.port; !listening && port <= last; ++port) {
    listening = try_port(address, static_cast<std::uint16_t>(port));
  }
  if (!listening) {
    const std::string ports = options.further_ports == 0
                                  ? fmt::format("port {} is", options.port)
                                  : fmt::format("ports {} to {} are", options.port, options.port + options.further_ports);
    fail(Error::Category::usage, "watch", fmt::format("{} taken on {}", ports, options.address), {}, "choose another --port");
  }
  endpoint = acceptor.local_endpoint();
}

void HttpServer::Impl::accept() {
  acceptor.async_accept([this](ErrorCode error, Tcp::socket socket) {
    if (error == asio::error::operation_aborted) return;
    if (error) {  // no descriptors are left, for example
      pause.expires_after(std::chrono::milliseconds(200));
      pause.async_wait([this](ErrorCode stopped) {
        if (!stopped) accept();
      });
      return;
    }
    const bool full = connections >= options.most_connections;
    const bool far_too_many = connections >= 2 * options.most_connections;  // who gets an answer has a connection, too
    if (!far_too_many) {
      const auto connection = std::make_shared<Connection>(*this, std::move(socket));
      full ? connection->refuse(http::status::service_unavailable, "too many connections") : connection->read();
    }
    accept();
  });
}

/// A page of elsewhere can point its own name here, but not make a browser say another one.
bool HttpServer::Impl::is_named_right(std::string_view text) const {
  const auto host = parse_host(text);
  if (!host || (host->port && *host->port != endpoint.port())) return false;
  const asio::ip::address served = endpoint.address();
  if (beast::iequals(host->name, "localhost")) return served.is_loopback() || served.is_unspecified();
  ErrorCode error;
  const asio::ip::address named = asio::ip::make_address(host->name, error);
  if (error) return false;
  return named == served || (served.is_loopback() && named.is_loopback()) || served.is_unspecified();
}

HttpServer::HttpServer(Options options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {
  impl_->listen();
}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const { return impl_->endpoint.port(); }
bool HttpServer::is_loopback() const { return impl_->endpoint.address().is_loopback(); }

std::string HttpServer::url() const {
  const asio::ip::address address = impl_->endpoint.address();
  const std::string name = address.to_string();
  return fmt::format("http://{}:{}/", address.is_v6() ? "[" + name + "]" : name, port());
}

HttpServer::End HttpServer::run() {
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    const auto before = std::signal(number, SIG_DFL);
    std::signal(number, before);
    if (number != SIGHUP || before != SIG_IGN) impl_->signals.add(number);  // what nohup started stays
  }
  impl_->signals.async_wait([impl = impl_.get()](ErrorCode error, int) {
    if (error) return;
    impl->by_signal = true;
    impl->context.stop();
  });
  impl_->accept();
  impl_->context.run();
  return impl_->by_signal ? End::signal : End::stopped;
}

void HttpServer::stop() {
  asio::post(impl_->context, [impl = impl_.get()] { impl->context.stop(); });
}

}  // namespace qfw::viewer
