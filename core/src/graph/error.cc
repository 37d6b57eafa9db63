#include "qfw/error.h"

namespace qfw {

Error::~Error() = default;

void fail(Error::Category category, std::string_view tag, std::string_view what, std::string_view where, std::string_view remedy) {
  std::string message = "[" + std::string(tag) + "] " + std::string(what);
  if (!where.empty()) message += " (" + std::string(where) + ")";
  if (!remedy.empty()) message += "; " + std::string(remedy);
  throw Error(category, message);
}

}  // namespace qfw
