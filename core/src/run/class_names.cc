#include "run/class_names.h"

namespace qfw {

std::vector<std::string> class_names_of(const Dataset& dataset) {
  std::vector<std::string> names;
  bool any = false;
  for (std::int64_t label = 0; label < dataset.classes(); ++label) {
    names.push_back(dataset.class_name(label));
    any = any || names.back() != std::to_string(label);
  }
  return any ? names : std::vector<std::string>();
}

}  // namespace qfw
