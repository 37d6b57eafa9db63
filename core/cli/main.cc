#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <exception>
#include <optional>

#include "environment.h"
#include "help.h"
#include "io/terminal.h"
#include "layout.h"
#include "plugin/called.h"
#include "plugin/crash.h"
#include "qfw/error.h"
#include "util/interrupt.h"
#include "util/version.h"
#include "verbs.h"

namespace qfw {
namespace {

enum ExitCode { done = 0, failed = 1, usage = 2, interrupted = 130 };

/// The command line without what every verb takes.
struct Words {
  std::string verb;  ///< empty: none
  std::vector<std::string> rest;
  std::vector<std::filesystem::path> plugin_folders;
  bool help = false, version = false;
};

std::filesystem::path plugin_folder(const std::string& text) {
  std::error_code error;
  if (!std::filesystem::is_directory(text, error)) {
    fail(Error::Category::usage, "usage", fmt::format("--plugin-dir: there is no folder '{}'", text));
  }
  return text;
}

Words sort_out(const std::vector<std::string>& words) {
  Words result;
  bool options_ended = false;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    const bool is_option = !options_ended && word.starts_with("-");
    if (is_option && (word == "--help" || word == "-h")) {
      result.help = true;
    } else if (is_option && word == "--version" && result.verb.empty()) {
      result.version = true;
    } else if (is_option && word.starts_with("--plugin-dir=")) {
      result.plugin_folders.push_back(plugin_folder(word.substr(word.find('=') + 1)));
    } else if (is_option && word == "--plugin-dir") {
      if (++i == words.size()) fail(Error::Category::usage, "usage", "--plugin-dir wants a folder: --plugin-dir=DIR");
      result.plugin_folders.push_back(plugin_folder(words[i]));
    } else if (result.verb.empty() && !is_option) {
      result.verb = word;
    } else if (result.verb.empty()) {
      fail(Error::Category::usage, "usage", fmt::format("there is no option {} before the verb", word), {},
           "`qfw --help` shows what there is");
    } else {
      options_ended = options_ended || word == "--";
      result.rest.push_back(word);
    }
  }
  return result;
}

int run(const std::vector<std::string>& given) {
  const Words words = sort_out(given);
  if (words.version) {
    if (!words.verb.empty()) {
      fail(Error::Category::usage, "usage", fmt::format("'{}' is one too many: --version stands alone", words.verb));
    }
    fmt::print("qfw {}\n", version());
    return done;
  }
  if (words.verb.empty()) {
    fmt::print(words.help ? stdout : stderr, "{}", general_help());
    return words.help ? done : usage;
  }
  const Verb& verb = verb_called(words.verb);
  if (words.help) {
    print_text(help_of(verb));
    if (verb.more_help) print_text(verb.more_help(words.rest, Catalog(plugin_folders(words.plugin_folders))));
    return done;
  }
  check_environment();
  const Arguments arguments = parse(verb, words.rest);
  const Catalog catalog(plugin_folders(words.plugin_folders));
  return verb.run(arguments, catalog);
}

int code_of(Error::Category category) {
  switch (category) {
    case Error::Category::usage:
      return usage;
    case Error::Category::interrupted:
      return interrupted;
    default:
      return failed;
  }
}

/// Never throws: standard error may be closed, or its disk full.
void complain(const std::string& who, std::string_view kind, std::string_view what) {
  Terminal::standard_error().line(fmt::format("{}: {}: {}", who, kind, what));
}

/// Writing where nobody reads, or beyond the limit on the size of files, is an error like any other. What is closed must not
/// become the descriptor of the next file that is opened.
void prepare_streams() {
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(stream, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(open("/dev/null", stream == STDIN_FILENO ? O_WRONLY : O_RDONLY));
  }
}

int guarded(const std::vector<std::string>& words) {
  const bool has_verb = !words.empty() && !words.front().starts_with("-");
  const std::string who = has_verb ? "qfw " + words.front() : "qfw";
  const auto output_failed = [&] { complain(who, "error", "standard output could not be written"); };
  try {
    const int code = run(words);
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0) {
      output_failed();
      return code == done ? failed : code;
    }
    return code;
  } catch (const Error& error) {
    complain(who, error.category() == Error::Category::interrupted ? "interrupted" : "error", error.what());
    return code_of(error.category());
  } catch (const std::bad_alloc&) {
    complain(who, "error", "out of memory");
  } catch (const std::exception& error) {
    if (std::ferror(stdout) != 0) {
      output_failed();
    } else {
      complain(who, "error", error.what());
    }
  } catch (...) {
    complain(who, "error", "something threw " + thrown_text());
  }
  return failed;
}

}  // namespace
}  // namespace qfw

int main(int count, char** words) {
  qfw::bound_spinning();
  qfw::prepare_streams();
  qfw::leave_line_clean_at_signals();
  qfw::report_crashes_of_plugins();
  return qfw::guarded(std::vector<std::string>(words + 1, words + count));
}
