#include "variables.h"

#include "qfw/error.h"

namespace qfw::reference {

Variables::Stored& Variables::declare(const Variable& variable) {
  const auto [at, is_new] = stored_.try_emplace(variable.name);
  Stored& stored = at->second;
  if (is_new) {
    stored.type = variable.type;
    stored.bytes.resize(variable.type.bytes());
  } else if (stored.type != variable.type) {
    fail(Error::Category::graph, "reference",
         "variable " + variable.name + " is " + stored.type.str() + " in an earlier graph, " + variable.type.str() +
             " in this one",
         {}, "build both graphs from one description");
  }
  return stored;
}

Variables::Stored& Variables::find(std::string_view name, const TensorType& type) {
  const auto at = stored_.find(name);
  if (at == stored_.end()) {
    fail(Error::Category::usage, "reference", "no compiled graph has a variable " + std::string(name), {},
         "compile the graph first");
  }
  if (at->second.type != type) {
    fail(Error::Category::usage, "reference",
         "variable " + std::string(name) + " is " + at->second.type.str() + ", memory of " + type.str() + " was given");
  }
  return at->second;
}

}  // namespace qfw::reference
