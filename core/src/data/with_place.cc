#include "data/with_place.h"

#include <fmt/format.h>

#include "io/printable.h"

namespace qfw {

Error with_place(const Error& error, const std::string& place) {
  const std::string text = error.what(), shown = printable(place);
  if (text.find(shown) != std::string::npos) return Error(error);
  return {error.category(), fmt::format("{} ({})", text, shown)};
}

}  // namespace qfw
