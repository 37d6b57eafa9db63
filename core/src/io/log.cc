#include "io/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spdlog/details/log_msg_buffer.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <utility>
#include <vector>

#include "io/open_fault.h"
#include "io/printable.h"
#include "io/terminal.h"

namespace qfw {
namespace {

/// Whole lines above the progress line.
class TerminalSink final : public spdlog::sinks::base_sink<std::mutex> {
  void sink_it_(const spdlog::details::log_msg& message) override {
    spdlog::memory_buf_t text;
    formatter_->format(message, text);
    std::string_view line(text.data(), text.size());
    while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
    Terminal::standard_error().line(line);
  }
  void flush_() override {}
};

/// Passes on to a file, while there is one: the logger's own list of sinks must not change while others log.
class OptionalFileSink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  void use(std::shared_ptr<spdlog::sinks::sink> file) {
    const std::lock_guard lock(mutex_);
    guarded([&] { file_->flush(); });
    file_ = std::move(file);
    holds_ = false;
    for (const auto& message : std::exchange(held_, {})) write(message);
    guarded([&] { file_->flush(); });
  }
  void hold() {
    const std::lock_guard lock(mutex_);
    holds_ = true;
  }

 private:
  void sink_it_(const spdlog::details::log_msg& message) override {
    if (holds_) {
      held_.emplace_back(message);
    } else {
      write(message);
    }
  }
  void write(const spdlog::details::log_msg& message) {
    guarded([&] {
      const std::string text = printable({message.payload.data(), message.payload.size()}, line_breaks);
      spdlog::details::log_msg clean = message;
      clean.payload = text;
      file_->log(clean);
    });
  }
  void flush_() override {
    guarded([&] { file_->flush(); });
  }
  /// A log that cannot be written stops no training: that is said once on the terminal, and the file is let go of.
  template <class Action>
  void guarded(Action action) try {
    if (file_) action();
  } catch (const std::exception& error) {
    Terminal::standard_error().line(fmt::format("[warning] the log cannot be written: {}; it ends here", error.what()));
    file_ = nullptr;
  }
  std::shared_ptr<spdlog::sinks::sink> file_;
  bool holds_ = false;
  std::vector<spdlog::details::log_msg_buffer> held_;
};

struct Logging {
  std::shared_ptr<TerminalSink> terminal = std::make_shared<TerminalSink>();
  std::shared_ptr<OptionalFileSink> file = std::make_shared<OptionalFileSink>();
  spdlog::logger logger{"qfw", {terminal, file}};

  Logging() {
    terminal->set_pattern("[%l] %v");
    const char* wanted = std::getenv("QFW_LOG");
    const std::string name = wanted ? wanted : "info";
    const auto level = spdlog::level::from_str(name);
    const bool unknown = level == spdlog::level::off && name != "off";
    logger.set_level(unknown ? spdlog::level::info : level);
    logger.flush_on(spdlog::level::info);
    if (unknown) logger.warn("QFW_LOG is \"{}\", expected trace, debug, info, warn, error or off; using info", name);
  }
};

/// What the library would say in words of its own, or wait for: a pipe's reader. Empty: nothing.
std::string fault_of_log(const std::filesystem::path& path) {
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
  if (descriptor < 0) return open_fault(path, errno);
  struct stat status {};
  const bool is_device = fstat(descriptor, &status) == 0 && S_ISCHR(status.st_mode);  // /dev/null is a choice
  close(descriptor);
  return is_device ? "" : fault_of_kind(path);
}

Logging& logging() {
  static auto* instance = new Logging;  // never destroyed: destructors log, until the very end
  return *instance;
}

}  // namespace

spdlog::logger& logger() { return logging().logger; }

void hold_log() { logging().file->hold(); }

void log_to_file(const std::filesystem::path& path) {
  try {
    if (const std::string fault = fault_of_log(path); !fault.empty()) {
      throw std::runtime_error(fmt::format("cannot write {}: {}", path.string(), fault));
    }
    auto file = std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string(), false);
    file->set_pattern("%Y-%m-%d %H:%M:%S.%e [%l] %v");
    logging().file->use(std::move(file));
  } catch (const std::exception& error) {
    stop_log_to_file();
    logger().warn("there will be no log file: {}", error.what());
  }
}

void stop_log_to_file() { logging().file->use(nullptr); }

}  // namespace qfw
