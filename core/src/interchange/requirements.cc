#include "interchange/requirements.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "io/log.h"
#include "qfw/error.h"

namespace qfw {

namespace {

std::optional<double> number_in(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

/// Lists of numbers compare as numbers do.
bool same(const std::string& a, const std::string& b) {
  if (a == b) return true;
  const std::size_t comma_a = a.find(','), comma_b = b.find(',');
  const auto x = number_in(a.substr(0, comma_a)), y = number_in(b.substr(0, comma_b));
  if (!x || !y || *x != *y || (comma_a == std::string::npos) != (comma_b == std::string::npos)) return false;
  return comma_a == std::string::npos || same(a.substr(comma_a + 1), b.substr(comma_b + 1));
}

}  // namespace

void check_requirements(const Recipe& recipe, const Format& format, const std::string& format_name, bool trusted) {
  const auto table = recipe.table();
  std::vector<std::string> differences, options;
  for (const Format::Setting& required : format.required()) {
    const auto row = std::ranges::find_if(
        table, [&](const Recipe::Row& each) { return each.section == required.section && each.key == required.key; });
    if (row == table.end()) {
      logger().warn("{} has no option {}: it must do by itself what weights of {} want, {} ({})", required.section,
                    required.key, format_name, required.value, required.origin);
      continue;
    }
    if (same(row->value, required.value)) continue;
    differences.push_back(fmt::format("{}.{} = {} in place of {} ({}; {})", required.section, required.key, required.value,
                                      row->value, row->origin, required.origin));
    options.push_back(fmt::format("--{}.{}={}", required.section, required.key, required.value));
  }
  if (differences.empty()) return;
  if (trusted) {
    for (const std::string& difference : differences) {
      logger().warn("the recipe is trusted where weights of {} want {}", format_name, difference);
    }
    return;
  }
  fail(Error::Category::usage, "import",
       fmt::format("with weights of {} this network would compute something else than theirs: they want {}", format_name,
                   fmt::join(differences, "; ")),
       recipe.label(),
       fmt::format("add {}; or --trust-recipe, if the recipe is right about these weights", fmt::join(options, " ")));
}

}  // namespace qfw
