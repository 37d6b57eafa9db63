#include "viewer/http_server.h"

#include <fmt/format.h>

#include <boost/asio.hpp>
#include <thread>

#include "support.h"
#include "viewer/watch_site.h"

namespace qfw::viewer {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
namespace asio = boost::asio;
using Tcp = asio::ip::tcp;

/// A server of one page, in a thread of its own.
class HttpServerTest : public testing::Test {
 protected:
  void start(HttpServer::Options options = {}, HttpServer::Handler handler = {}) {
    if (!handler) {
      handler = [](const HttpServer::Request& request) -> HttpServer::Reply {
        if (request.path == "/throws") throw std::runtime_error("no");
        if (request.path != "/") return {.status = 404, .body = HttpServer::body_of("none\n")};
        return {.body = HttpServer::body_of(fmt::format("hello {}", request.query))};
      };
    }
    server_ = std::make_unique<HttpServer>(std::move(options), std::move(handler));
    thread_ = std::thread([this] { server_->run(); });
  }
  void TearDown() override {
    if (!server_) return;
    server_->stop();
    thread_.join();
  }

  Tcp::socket connect() {
    Tcp::socket socket(context_);
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
    return socket;
  }
  /// Has asked for the page, and little room for what comes.
  Tcp::socket asking() {
    Tcp::socket socket(context_, Tcp::v4());
    socket.set_option(asio::socket_base::receive_buffer_size(64 * 1024));
    socket.connect({asio::ip::make_address("127.0.0.1"), server_->port()});
    asio::write(socket, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")));
    return socket;
  }
  static std::string all_of(Tcp::socket& socket) {
    std::string text;
    boost::system::error_code error;
    asio::read(socket, asio::dynamic_buffer(text), error);
    return text;
  }
  /// What comes back until the other side closes.
  std::string exchange(const std::string& request) {
    Tcp::socket socket = connect();
    boost::system::error_code error;
    asio::write(socket, asio::buffer(request), error);
    return all_of(socket);
  }
  std::string get(std::string_view target, std::string_view more = "", std::string_view method = "GET") {
    return exchange(fmt::format("{} {} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nConnection: close\r\n{}\r\n", method, target,
                                server_->port(), more));
  }
  std::string with_host(std::string_view host) {
    return exchange(fmt::format("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host));
  }
  static int status(const std::string& answer) { return answer.size() > 12 ? std::stoi(answer.substr(9, 3)) : 0; }

  asio::io_context context_;
  std::unique_ptr<HttpServer> server_;
  std::thread thread_;
};

TEST_F(HttpServerTest, AnswersGetAndHead) {
  start({.policy = "default-src 'none'"});
  const std::string answer = get("/?a=b");
  EXPECT_THAT(answer, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("\r\n\r\nhello a=b")));
  EXPECT_THAT(answer, AllOf(HasSubstr("Cache-Control: no-store"), HasSubstr("X-Content-Type-Options: nosniff"),
                            HasSubstr("Content-Security-Policy: default-src 'none'; frame-ancestors 'none'"),
                            Not(HasSubstr("Access-Control"))));
  const std::string head = get("/?a=b", "", "HEAD");
  EXPECT_THAT(head, AllOf(StartsWith("HTTP/1.1 200 OK\r\n"), HasSubstr("Content-Length: 9\r\n"), Not(HasSubstr("hello"))));
}

TEST_F(HttpServerTest, KeepsAConnectionForFurtherRequests) {
  start();
  Tcp::socket socket = connect();
  const std::string request = fmt::format("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", server_->port());
  asio::write(socket, asio::buffer(request + request + "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n"));
  const std::string answers = all_of(socket);
  std::size_t count = 0;
  for (std::size_t at = answers.find("HTTP/1.1 200"); at != answers.npos; at = answers.find("HTTP/1.1 200", at + 1)) ++count;
  EXPECT_EQ(count, 3u) << answers;
}

TEST_F(HttpServerTest, RefusesOtherMethodsAndBodies) {
  start();
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PATCH", "FROBNICATE"}) {
    const std::string answer = get("/", "", method);
    EXPECT_EQ(status(answer), 405) << method << answer;
    EXPECT_THAT(answer, HasSubstr("Allow: GET, HEAD"));
  }
  EXPECT_EQ(status(get("/", "Content-Length: 5\r\n")), 413);
  EXPECT_EQ(status(get("/", "Content-Length: 99999999999\r\n")), 413);
  EXPECT_EQ(status(get("/", "Transfer-Encoding: chunked\r\n")), 413);
  EXPECT_EQ(status(get("/", "Content-Length: 5\r\n", "POST")), 405);
  EXPECT_EQ(status(get("/", "Content-Length: 0\r\n")), 200);
}

TEST_F(HttpServerTest, RefusesForeignNames) {
  start();
  const std::string port = std::to_string(server_->port());
  for (const std::string& host : {"127.0.0.1:" + port, "localhost:" + port, "LOCALHOST:" + port, "127.0.0.1:" + port,
                                  std::string("localhost"), std::string("localhost:"), "[::ffff:127.0.0.1]:" + port}) {
    EXPECT_EQ(status(with_host(host)), 200) << host;
  }
  for (const std::string& host :
       {std::string("evil.example"), "evil.example:" + port, "localhost.evil.example:" + port, std::string("127.0.0.1:1"),
        "127.0.0.1.evil:" + port, std::string("[::1]"), "[::1]:" + port, "127.0.0.2:" + port, "192.168.0.1:" + port,
        "0.0.0.0:" + port, std::string("localhost:http"), std::string("localhost::"), std::string("[::1"),
        "[::ffff:192.168.0.1]:" + port, std::string(":"), "a@localhost:" + port}) {
    EXPECT_EQ(status(with_host(host)), 403) << host;
  }
  EXPECT_EQ(status(exchange("GET / HTTP/1.1\r\nConnection: close\r\n\r\n")), 400);
  EXPECT_EQ(status(exchange("GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\nConnection: close\r\n\r\n")), 400);
  EXPECT_EQ(status(get("/", "Origin: http://evil.example\r\n")), 403);
  EXPECT_EQ(status(get("/", "Origin: null\r\n")), 403);
  const std::string own = "Origin: http://127.0.0.1:" + port + "\r\n";
  EXPECT_EQ(status(get("/", own)), 200);
  EXPECT_EQ(status(get("/", own + own)), 403);
  EXPECT_EQ(status(get("/", own + "Origin: http://evil.example\r\n")), 403);
}

/// What it is bound to decides which addresses are its own.
TEST_F(HttpServerTest, AnswersToTheAddressItIsBoundTo) {
  start({.address = "127.0.0.2"});
  const auto at = [&](const std::string& host) {
    Tcp::socket socket(context_);
    socket.connect({asio::ip::make_address("127.0.0.2"), server_->port()});
    asio::write(socket, asio::buffer(fmt::format("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", host)));
    return status(all_of(socket));
  };
  EXPECT_EQ(at("127.0.0.2"), 200);
  for (const char* host : {"127.0.0.1", "localhost", "[::1]"}) EXPECT_EQ(at(host), 403) << host;
}

TEST_F(HttpServerTest, AnswersToAnyAddressOfItsKindWhereItIsBoundToAll) {
  start({.address = "0.0.0.0"});
  for (const char* host : {"127.0.0.1", "localhost", "192.168.0.1", "[::ffff:127.0.0.1]"}) {
    EXPECT_EQ(status(with_host(host)), 200) << host;
  }
  for (const char* host : {"[::1]", "evil.example"}) EXPECT_EQ(status(with_host(host)), 403) << host;
}

TEST_F(HttpServerTest, TakesTheAbsoluteFormOfATarget) {
  start();
  const std::string port = std::to_string(server_->port());
  EXPECT_THAT(get("http://127.0.0.1:" + port + "/?a=b"), HasSubstr("\r\n\r\nhello a=b"));
  EXPECT_THAT(get("HTTP://localhost:" + port), HasSubstr("\r\n\r\nhello "));
  EXPECT_THAT(get("http://localhost:" + port + "?a=b"), HasSubstr("\r\n\r\nhello a=b"));
  EXPECT_EQ(status(get("http://localhost:" + port + "/elsewhere")), 404);
  for (const std::string& authority : {std::string("evil.example"), "evil.example:" + port, "a@localhost:" + port,
                                       std::string("localhost:1"), std::string()}) {
    EXPECT_EQ(status(get("http://" + authority + "/")), 403) << authority;
  }
  // It is what counts, whatever the header says; which has to be there.
  const std::string line = "GET http://localhost:" + port + "/ HTTP/1.1\r\nConnection: close\r\n";
  EXPECT_EQ(status(exchange(line + "Host: evil.example\r\n\r\n")), 200);
  EXPECT_EQ(status(exchange(line + "\r\n")), 400);
  EXPECT_EQ(status(get("https://localhost:" + port + "/")), 400);
  EXPECT_EQ(status(get("ftp://localhost/")), 400);
}

TEST_F(HttpServerTest, BoundsAHeaderThatArrivesInPieces) {
  start();
  const auto in_pieces = [&](int count, std::size_t value) {
    Tcp::socket socket = connect();
    socket.set_option(Tcp::no_delay(true));
    boost::system::error_code error;
    asio::write(socket, asio::buffer(std::string("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n")), error);
    for (int i = 0; i < count && !error; ++i) {
      asio::write(socket, asio::buffer(fmt::format("X: {}\r\n", std::string(value, 'a'))), error);
      if (i % 16 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    asio::write(socket, asio::buffer(std::string("\r\n")), error);
    return status(all_of(socket));
  };
  EXPECT_EQ(in_pieces(50, 1), 200);
  EXPECT_EQ(in_pieces(150, 1), 431);  // too many
  EXPECT_EQ(in_pieces(80, 50), 200);
  EXPECT_EQ(in_pieces(80, 240), 431);  // too large: 20 KB
}

TEST_F(HttpServerTest, RefusesWhatIsNoRequest) {
  start();
  for (const std::string& request :
       {std::string("hello\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01", 6) + "\r\n\r\n", std::string("GET /\r\n\r\n"),
        std::string("GET / HTTP/9.9\r\n\r\n"), std::string("GET / HTTP/1.1\r\nno colon\r\n\r\n"),
        std::string("GET /\x01 HTTP/1.1\r\nHost: localhost\r\n\r\n"), std::string("\0\0\0\0\r\n\r\n", 8)}) {
    EXPECT_EQ(status(exchange(request)), 400) << request;
  }
  EXPECT_EQ(status(get("*")), 400);
  EXPECT_EQ(status(get("/", "X: " + std::string(9000, 'a') + "\r\n")), 431);
  EXPECT_EQ(status(get("/" + std::string(9000, 'a'))), 431);
  std::string many;
  for (int i = 0; i < 2000; ++i) many += fmt::format("X-{}: 1\r\n", i);
  EXPECT_EQ(status(get("/", many)), 431);
  EXPECT_EQ(status(get("/elsewhere")), 404);
  EXPECT_EQ(status(get("/throws")), 500);
  EXPECT_EQ(status(get("/")), 200);
}

TEST_F(HttpServerTest, DoesNotWaitForTheSlow) {
  start({.patience = std::chrono::milliseconds(300)});
  Tcp::socket slow = connect(), silent = connect();
  const auto begin = std::chrono::steady_clock::now();
  boost::system::error_code error;
  // A letter now and then does not earn more time.
  for (int i = 0; i < 100 && !error; ++i) {
    asio::write(slow, asio::buffer(std::string(i == 0 ? "GET / HTTP/1.1\r\nX: " : "a")), error);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  EXPECT_TRUE(error);
  EXPECT_EQ(all_of(silent), "");
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(4));
  EXPECT_EQ(status(get("/")), 200);
}

TEST_F(HttpServerTest, HasSoManyConnectionsAndNoMore) {
  start({.most_connections = 8, .patience = std::chrono::milliseconds(1500)});
  std::vector<Tcp::socket> idle;
  for (int i = 0; i < 8; ++i) idle.push_back(connect());
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(status(get("/")), 503);
  idle.clear();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_EQ(status(get("/")), 200);
}

TEST_F(HttpServerTest, SurvivesThoseWhoLeave) {
  start({}, [](const auto&) { return HttpServer::Reply{.body = HttpServer::body_of(std::string(8 << 20, 'x'))}; });
  for (int i = 0; i < 20; ++i) {
    Tcp::socket socket = connect();
    asio::write(socket, asio::buffer(fmt::format("GET / HTTP/1.1\r\nHost: localhost:{}\r\n\r\n", server_->port())));
    socket.set_option(asio::socket_base::linger(true, 0));
    socket.close();
  }
  EXPECT_EQ(get("/").size() > (8u << 20), true);
}

TEST_F(HttpServerTest, WaitsForThoseWhoReadSlowly) {
  constexpr std::size_t size = 8 << 20;
  const auto body = HttpServer::body_of(std::string(size, 'x'));
  start({.patience = std::chrono::milliseconds(400)}, [&](const auto&) { return HttpServer::Reply{.body = body}; });
  Tcp::socket slow = asking(), idle = asking();
  std::vector<char> some(128 * 1024);
  std::size_t got = 0;
  boost::system::error_code error;
  const auto begin = std::chrono::steady_clock::now();
  while (!error) {
    got += slow.read_some(asio::buffer(some), error);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  EXPECT_GT(got, size);
  EXPECT_GT(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(500));  // more than one part is given
  EXPECT_LT(all_of(idle).size(), size);                                                 // has read nothing for longer than that
}

TEST_F(HttpServerTest, AllAreSentTheSameBody) {
  constexpr int clients = 20;
  const auto body = HttpServer::body_of(std::string(8 << 20, 'x'));
  start({}, [&](const auto&) { return HttpServer::Reply{.body = body}; });
  std::vector<Tcp::socket> waiting;
  for (int i = 0; i < clients; ++i) waiting.push_back(asking());
  for (int i = 0; i < 500 && body.use_count() <= clients; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_GT(body.use_count(), clients);
  EXPECT_GT(all_of(waiting.back()).size(), body->size());
}

TEST_F(HttpServerTest, ListensWhereItMay) {
  start();
  const auto bind = [&](HttpServer::Options options) {
    HttpServer server(std::move(options), [](const auto&) { return HttpServer::Reply{}; });
  };
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { bind({.port = server_->port()}); }),
              HasSubstr("taken on 127.0.0.1"));
  bind({.port = server_->port(), .further_ports = 20});
  const HttpServer mapped({.address = "::ffff:127.0.0.1"}, [](const auto&) { return HttpServer::Reply{}; });
  EXPECT_TRUE(mapped.is_loopback());
  EXPECT_EQ(mapped.url(), fmt::format("http://127.0.0.1:{}/", mapped.port()));
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { bind({.address = "localhost"}); }), HasSubstr("is no IP address"));
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { bind({.address = "192.0.2.7"}); }),
              HasSubstr("cannot listen on 192.0.2.7"));
}

class WatchSiteTest : public testing::Test {
 protected:
  static HttpServer::Reply ask(WatchSite& site, std::string_view path, std::string_view query = "") {
    return site.answer({path, query});
  }
  static boost::json::value json_of(const HttpServer::Reply& reply) {
    EXPECT_EQ(reply.status, 200u) << *reply.body;
    EXPECT_EQ(reply.type, "application/json");
    return boost::json::parse(*reply.body);
  }

  test::TemporaryFolder temporary_;
  std::filesystem::path folder_ = temporary_.path() / "runs";
};

TEST_F(WatchSiteTest, WaitsForARunAndFollowsIt) {
  WatchSite site(folder_);
  EXPECT_EQ(json_of(ask(site, "/update")).at("mode"), "waiting");
  EXPECT_THAT(*ask(site, "/").body, HasSubstr("\"mode\":\"live\""));
  test::write_sample_run({.steps = 1000, .state = "training"}, folder_);
  const auto first = json_of(ask(site, "/update"));
  EXPECT_EQ(first.at("mode"), "run");
  EXPECT_EQ(first.at("status").at("step").to_number<int>(), 1000);
  const auto second = json_of(ask(site, "/update", "cursor=" + std::string(first.at("cursor").as_string())));
  EXPECT_FALSE(second.as_object().contains("setup"));
}

TEST_F(WatchSiteTest, WhatIsBeingSentIsShared) {
  test::write_sample_run({}, folder_);
  WatchSite site(folder_);
  const auto first = ask(site, "/"), second = ask(site, "/");
  EXPECT_EQ(first.body, second.body);
  bool shared = false;  // of one reading of the folder; there may be another in between
  for (int i = 0; i < 50 && !shared; ++i) shared = ask(site, "/update").body == ask(site, "/update").body;
  EXPECT_TRUE(shared);
  const std::string cursor(json_of(ask(site, "/update")).at("cursor").as_string());
  const auto all = ask(site, "/update"), news = ask(site, "/update", "cursor=" + cursor);
  EXPECT_TRUE(json_of(all).as_object().contains("setup"));
  EXPECT_FALSE(json_of(news).as_object().contains("setup"));
}

TEST_F(WatchSiteTest, HasNoOtherPages) {
  test::write_sample_run({}, folder_);
  WatchSite site(folder_);
  for (const char* path : {"/recipe.ini", "/../etc/passwd", "//", "/update/", "/%2e%2e/", "/run/0", "/run/0/update",
                           "/report.json", "", "/favicon.ico", "/checkpoints/step_000000020.h5"}) {
    EXPECT_EQ(ask(site, path).status, 404u) << path;
  }
  for (const char* query : {"cursor=", "cursor=1.2", "x=1", "cursor", "cursor=../../a"})
    EXPECT_EQ(ask(site, "/update", query).status, 400u) << query;
  EXPECT_EQ(ask(site, "/", "x").status, 400u);
}

TEST_F(WatchSiteTest, ListsTheRunsOfAFolder) {
  test::write_sample_run({.accuracy = 0.5}, folder_ / "one");
  test::write_sample_run({.state = "interrupted"}, folder_ / "deeper" / "two");
  std::filesystem::create_directory_symlink("/", folder_ / "root");
  WatchSite site(folder_);
  EXPECT_THAT(*ask(site, "/").body, HasSubstr("\"mode\":\"list\""));
  EXPECT_EQ(json_of(ask(site, "/update")).at("mode"), "list");
  const auto list = json_of(ask(site, "/list")).at("runs").as_array();
  ASSERT_EQ(list.size(), 2u);
  for (const auto& run : list) {
    const std::string path = "/run/" + std::to_string(run.at("number").to_number<int>());
    EXPECT_EQ(ask(site, path).status, 200u);
    const auto update = json_of(ask(site, path + "/update"));
    EXPECT_EQ(update.at("state").at("name"), run.at("name") == "one" ? "finished" : "interrupted");
  }
  for (const char* path :
       {"/run/2", "/run/-1", "/run/", "/run/0/", "/run/0/../1", "/run/0x", "/run/99999999999999999999999", "/run/one"}) {
    EXPECT_EQ(ask(site, path).status, 404u) << path;
  }
}

}  // namespace
}  // namespace qfw::viewer
