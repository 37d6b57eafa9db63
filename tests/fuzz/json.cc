// JSON as reports and checkpoints keep it: what is read prints as text that reads the same, but for the last digit of long
// numbers, which Boost.JSON's parser may miss.
#include "io/json.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>

#include "input.h"

namespace {

namespace json = boost::json;

bool alike(const json::value& a, const json::value& b) {
  if (a.kind() != b.kind()) return a.is_double() && b.is_null() && !std::isfinite(a.get_double());  // 1e999 is written as null
  if (a.is_double()) {
    const double x = a.get_double(), y = b.get_double();
    return std::abs(x / 2 - y / 2) <= 1e-15 * std::max(std::abs(x), std::abs(y)) + 1e-323;
  }
  if (a.is_array()) return std::ranges::equal(a.get_array(), b.get_array(), alike);
  if (!a.is_object()) return a == b;
  return std::ranges::equal(a.get_object(), b.get_object(),
                            [](const auto& x, const auto& y) { return x.key() == y.key() && alike(x.value(), y.value()); });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  const fuzz::MemoryFile file(fuzz::text(data, size));
  fuzz::expect_no_worse_than_an_error([&] {
    const json::value value = read_json(file.path());
    const fuzz::MemoryFile pretty(json_pretty(value));
    if (!alike(value, read_json(pretty.path()))) std::abort();
  });
  return 0;
}
