#include "viewer/http_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <charconv>
#include <csignal>
#include <iterator>
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
using Response = http::response<http::empty_body>;

constexpr std::size_t most_header = 8 * 1024, most_fields = 100;
constexpr std::size_t most_in_a_read = 4 * 1024;
constexpr std::size_t part = 64 * 1024;  // of a body; has a time of its own
constexpr int send_buffer = 2 * part;    // what waits in the kernel hides that nobody reads
constexpr std::size_t most_left_behind = 64 * 1024;
constexpr std::chrono::seconds to_say_goodbye{1};

struct HostName {
  std::string name;
  std::optional<std::uint16_t> port;
};

/// NAME, NAME:PORT, [ADDRESS] or [ADDRESS]:PORT, where the port may be empty (RFC 3986); none for anything else.
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
  if (rest.empty()) return host;
  std::uint16_t port = 0;
  const auto [last, error] = std::from_chars(rest.data(), rest.data() + rest.size(), port);
  if (error != std::errc() || last != rest.data() + rest.size()) return std::nullopt;
  host.port = port;
  return host;
}

struct Target {
  std::optional<std::string_view> authority;  ///< of the absolute form, http://AUTHORITY/PATH
  std::string_view path, query;
};

/// Of the origin form and the absolute one (RFC 9112, 3.2); none for the others, which no GET has.
std::optional<Target> parse_target(std::string_view text) {
  constexpr std::string_view scheme = "http://";
  Target target;
  if (beast::iequals(text.substr(0, scheme.size()), scheme)) {
    text.remove_prefix(scheme.size());
    target.authority = text.substr(0, text.find_first_of("/?"));
    text.remove_prefix(target.authority->size());
  } else if (!text.starts_with('/')) {
    return std::nullopt;
  }
  const std::size_t mark = text.find('?');
  target.path = mark == 0 || text.empty() ? "/" : text.substr(0, mark);
  if (mark != text.npos) target.query = text.substr(mark + 1);
  return target;
}

/// An IPv4 address also where it is written as one of IPv6, ::ffff:127.0.0.1.
asio::ip::address plain(const asio::ip::address& address) {
  if (!address.is_v6() || !address.to_v6().is_v4_mapped()) return address;
  return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6());
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
    ErrorCode ignored;
    stream_.socket().set_option(Tcp::no_delay(true), ignored);  // header and body are written one after the other
    stream_.socket().set_option(asio::socket_base::send_buffer_size(send_buffer), ignored);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { --server_.connections; }

  void read() {
    parser_.emplace();
    parser_->header_limit(most_header);
    parser_->body_limit(boost::none);  // none is read: see reply_to()
    header_bytes_ = 0;
    stream_.expires_after(server_.options.patience);
    buffer_.size() > 0 ? parse() : read_some();
  }

  void refuse(http::status status, std::string_view why) { write(error_reply(status, why), false); }

 private:
  static HttpServer::Reply error_reply(http::status status, std::string_view why) {
    return {.status = static_cast<unsigned>(status), .body = HttpServer::body_of(fmt::format("{}\n", why))};
  }

  void read_some() {
    const std::size_t room = std::min(most_in_a_read, most_header - buffer_.size());
    stream_.async_read_some(buffer_.prepare(room), [self = shared_from_this()](ErrorCode error, std::size_t bytes) {
      if (error) return;  // gone, or too slow: there is nobody to tell
      self->buffer_.commit(bytes);
      self->parse();
    });
  }

  /// The parser's own limit holds for what it is given at once only.
  void parse() {
    ErrorCode error;
    const std::size_t used = parser_->put(buffer_.data(), error);
    buffer_.consume(used);
    header_bytes_ += used;
    const bool incomplete = error == http::error::need_more;
    const std::size_t bytes = header_bytes_ + (incomplete ? buffer_.size() : 0);
    const auto fields = static_cast<std::size_t>(std::distance(parser_->get().begin(), parser_->get().end()));
    if (error == http::error::header_limit || bytes > most_header || (incomplete && bytes == most_header) ||
        fields > most_fields) {
      return refuse(http::status::request_header_fields_too_large,
                    fmt::format("the header of a request has at most {} KiB and {} fields", most_header / 1024, most_fields));
    }
    if (incomplete) return read_some();
    error ? refuse(http::status::bad_request, "this is no HTTP request") : answer();
  }

  void answer() {
    const auto& request = parser_->get();
    HttpServer::Reply reply = reply_to(request);
    const bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
    const bool keep = request.keep_alive() && !has_body && reply.status < 400;
    write(std::move(reply), keep, request.method() == http::verb::head);
  }

  HttpServer::Reply reply_to(const http::request<http::empty_body>& request) try {
    if (request.count(http::field::host) != 1) return error_reply(http::status::bad_request, "a request names one host");
    const std::optional<Target> target = parse_target(request.target());
    const std::string_view header = request[http::field::host];
    const std::string_view host = target && target->authority ? *target->authority : header;
    if (!server_.is_named_right(host)) {
      return error_reply(http::status::forbidden,
                         "this server does not answer to that name; use the address that `qfw watch` printed");
    }
    const std::size_t origins = request.count(http::field::origin);
    if (origins > 1 || (origins == 1 && request[http::field::origin] != fmt::format("http://{}", host))) {
      return error_reply(http::status::forbidden, "pages of other servers get nothing here");
    }
    if (request.method() != http::verb::get && request.method() != http::verb::head) {
      return error_reply(http::status::method_not_allowed, "only GET and HEAD");
    }
    if (parser_->chunked() || parser_->content_length().value_or(0) > 0) {
      return error_reply(http::status::payload_too_large, "a request has no body here");
    }
    if (!target) return error_reply(http::status::bad_request, "a target begins with a slash, or with http://");
    return server_.handle({.path = target->path, .query = target->query});
  } catch (const std::exception& error) {
    logger().warn("a request could not be answered: {}", error.what());
    return error_reply(http::status::internal_server_error, "this could not be answered; the watcher's terminal says why");
  }

  void write(HttpServer::Reply reply, bool keep, bool head = false) {
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
    body_ = reply.body ? std::move(reply.body) : HttpServer::body_of({});
    response_.content_length(body_->size());
    unsent_ = head ? std::string_view() : std::string_view(*body_);
    stream_.expires_after(server_.options.patience);
    http::async_write(stream_, response_, [self = shared_from_this(), keep](ErrorCode error, std::size_t) {
      if (!error) self->write_rest(keep);
    });
  }

  /// Who takes part after part is slow at worst; who takes none is gone.
  void write_rest(bool keep) {
    if (unsent_.empty()) {
      body_.reset();
      return keep ? read() : leave();
    }
    const std::string_view next = unsent_.substr(0, part);
    unsent_.remove_prefix(next.size());
    stream_.expires_after(server_.options.patience);
    asio::async_write(stream_, asio::buffer(next), [self = shared_from_this(), keep](ErrorCode error, std::size_t) {
      if (!error) self->write_rest(keep);
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
  std::size_t header_bytes_ = 0;  // that the parser took
  Response response_;
  HttpServer::Body body_;
  std::string_view unsent_;  // of it
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
  const asio::ip::address address = plain(asio::ip::make_address(options.address, error));
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
  const bool by_localhost = served == asio::ip::address_v4::loopback() || served == asio::ip::address_v6::loopback();
  if (beast::iequals(host->name, "localhost")) return by_localhost || served.is_unspecified();
  ErrorCode error;
  const asio::ip::address named = plain(asio::ip::make_address(host->name, error));
  if (error) return false;
  return served.is_unspecified() ? named.is_v4() || served.is_v6() : named == served;
}

HttpServer::HttpServer(Options options, Handler handler)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler))) {
  impl_->listen();
}

HttpServer::~HttpServer() = default;

HttpServer::Body HttpServer::body_of(std::string text) { return std::make_shared<const std::string>(std::move(text)); }

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
