#include "plugin/called.h"

#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <exception>

#include "qfw/error.h"

namespace qfw {

constinit thread_local const char* plugin_in_call = nullptr;

namespace {

/// One that names its plugin already, so that a plugin which calls another does not take the blame.
class NamedError final : public Error {
 public:
  using Error::Error;
};

std::string thrown_type() {
  const std::type_info* type = abi::__cxa_current_exception_type();
  if (type == nullptr) return "nothing";
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(type->name(), nullptr, nullptr, &status),
                                                         &std::free);
  return status == 0 ? text.get() : type->name();
}

}  // namespace

std::string thrown_text() {
  try {
    throw;
  } catch (const Error& error) {
    return error.what();
  } catch (const std::exception& error) {
    return fmt::format("{}: {}", thrown_type(), error.what());
  } catch (const char* text) {
    return fmt::format("text '{}'", text == nullptr ? "" : text);
  } catch (const std::string& text) {
    return fmt::format("text '{}'", text);
  } catch (int number) {
    return fmt::format("int {}", number);
  } catch (...) {
    return "an object of type " + thrown_type();
  }
}

void rethrow_named(const PluginName& plugin, const char* method, const std::string& place) {
  try {
    throw;
  } catch (const NamedError&) {
    throw;
  } catch (const Error& error) {
    if (error.category() == Error::Category::interrupted) throw;
    std::string text = error.what();
    for (const std::string& part : {place, plugin.name}) {
      if (!part.empty() && text.find(part) == std::string::npos) text += " (" + part + ")";
    }
    throw NamedError(error.category(), text);
  } catch (...) {
    const std::string where = place.empty() ? plugin.file : place + ", " + plugin.file;
    throw NamedError(Error::Category::plugin,
                     fmt::format("[plugin] {} threw {} from {} ({}); a fault of the plugin, which may throw qfw::Error only",
                                 plugin.name, thrown_text(), method, where));
  }
}

}  // namespace qfw
