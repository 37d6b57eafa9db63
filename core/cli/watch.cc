#include <fmt/format.h>

#include <cstdio>

#include "io/log.h"
#include "run_source.h"
#include "verbs.h"
#include "viewer/http_server.h"
#include "viewer/page.h"
#include "viewer/watch_site.h"

namespace qfw {

namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t usual_port = 8017, further_ports = 20;

viewer::HttpServer::Options options_of(const Arguments& arguments) {
  const std::int64_t port = arguments.number("port", usual_port);
  if (port > 65535) {
    fail(Error::Category::usage, "usage", fmt::format("--port is a number from 0 (any that is free) to 65535, not {}", port));
  }
  viewer::HttpServer::Options options;
  options.address = arguments.get("address", options.address);
  options.port = static_cast<std::uint16_t>(port);
  if (!arguments.has("port")) options.further_ports = further_ports;
  options.policy = viewer::content_security_policy(true);
  return options;
}

int run(const Arguments& arguments, const Catalog&) {
  const fs::path folder = arguments.positional.at(0);
  std::error_code error;
  if (fs::exists(folder, error) && !fs::is_directory(folder, error)) {
    fail(Error::Category::usage, "watch", "this is a file, not the folder of a run", folder.string(),
         "give the folder of a run");
  }
  check_accessible(folder, "watch");
  viewer::WatchSite site(folder);
  viewer::HttpServer server(options_of(arguments), [&](const auto& request) { return site.answer(request); });
  if (!server.is_loopback()) {
    logger().warn("other machines can reach this, and there is no password: whoever knows the address sees the run");
  }
  if (!fs::exists(folder, error)) logger().info("there is no {} yet: waiting for the run to begin", folder.string());
  fmt::print("{}\n", server.url());
  if (std::fflush(stdout) != 0) fail(Error::Category::data, "watch", "standard output could not be written");
  logger().info("watching {}; Ctrl-C ends this, and no run", folder.string());
  return server.run() == viewer::HttpServer::End::signal ? 130 : 0;
}

}  // namespace

Verb watch_verb() {
  Verb verb;
  verb.name = "watch";
  verb.positional = "RUN|FOLDER";
  verb.min_positional = verb.max_positional = 1;
  verb.summary = "show a run in the browser while it goes on, or the runs in a folder";
  verb.doc =
      "Prints an address to open in a browser of this machine. The run may go on in another process, be finished, or begin\n"
      "later. Nothing can be changed from there. Ctrl-C ends the watching with exit code 130; runs are not touched.";
  verb.options = {{"port", "N", "of the address; 0: any that is free (default: 8017, or the next that is free)"},
                  {"address", "IP", "of this machine; others than loopback are open to the network (default: 127.0.0.1)"}};
  verb.run = run;
  return verb;
}

}  // namespace qfw
