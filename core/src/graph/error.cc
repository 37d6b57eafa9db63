#include "qfw/error.h"

#include "io/printable.h"

namespace qfw {

Error::~Error() = default;

void fail(Error::Category category, std::string_view tag, std::string_view what, std::string_view where,
          std::string_view remedy) {
  // Names come from files and folders: a line break in one must not begin another message.
  std::string message = "[" + std::string(tag) + "] " + printable(what);
  if (!where.empty()) message += " (" + printable(where) + ")";
  if (!remedy.empty()) message += "; " + std::string(remedy);
  throw Error(category, message);
}

}  // namespace qfw
