#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

#include "qfw/export.h"

namespace qfw {

/// The exception that crosses the boundary between core and plugins. The message says what was asked, what was
/// found, where, and what to do: `[conv2d] src has 3 channels, weights expect 64 (stage1/block0/conv_1); check ...`.
/// The core adds the plugin that threw it. Whatever else a plugin throws becomes one of Category::plugin that says what it was.
class QFW_API Error : public std::runtime_error {
 public:
  /// `usage` is the caller's mistake (exit code 2), `interrupted` a signal; everything else ends with exit code 1.
  enum class Category { usage, graph, plugin, data, device, interrupted, internal };

  Error(Category category, const std::string& message) : std::runtime_error(message), category_(category) {}
  ~Error() override;  // defined in the core, so that every library catches the same type

  Category category() const noexcept { return category_; }

 private:
  Category category_;
};

/// Throws with a message in the house form: "[tag] what (where); remedy".
[[noreturn]] QFW_API void fail(Error::Category category, std::string_view tag, std::string_view what,
                               std::string_view where = {}, std::string_view remedy = {});

}  // namespace qfw
