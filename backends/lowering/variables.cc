#include "qfw/lowering/variables.h"

#include <fmt/format.h>

#include "qfw/error.h"

namespace qfw::lowering {

Variables::Variables(const Target& target, std::function<std::byte*(std::size_t)> allocate)
    : target_(target), allocate_(std::move(allocate)) {}

std::vector<Variables::Entry*> Variables::declare(std::span<const Variable> variables) {
  std::size_t bytes = 0;
  std::vector<Entry*> entries;
  entries.reserve(variables.size());
  for (const Variable& variable : variables) {
    const auto [place, is_new] = entries_.try_emplace(variable.name, Entry{variable.name, variable.type});
    Entry& entry = place->second;
    if (entry.type != variable.type) {
      fail(Error::Category::graph, "variable", fmt::format("asked for as {}, it is {}", variable.type.str(), entry.type.str()),
           variable.name, "declare it with one type in every phase");
    }
    if (is_new) bytes += target_.aligned(entry.type.bytes());
    entries.push_back(&entry);
  }
  if (bytes == 0) return entries;

  std::byte* next = allocate_(bytes);
  for (Entry* entry : entries) {
    if (entry->data != nullptr) continue;
    entry->data = next;
    next += target_.aligned(entry->type.bytes());
  }
  return entries;
}

Variables::Entry& Variables::find(std::string_view name, const TensorType& asked, std::size_t bytes) {
  const auto found = entries_.find(name);
  if (found == entries_.end()) {
    fail(Error::Category::usage, "variable", fmt::format("no compiled graph has a variable '{}'", name), {},
         "compile a graph that declares it first");
  }
  if (found->second.type != asked || bytes != asked.bytes()) {
    fail(Error::Category::usage, "variable",
         fmt::format("asked for as {} in {} bytes, it is {} in {} bytes", asked.str(), bytes, found->second.type.str(),
                     found->second.type.bytes()),
         name, "use the variable's own type");
  }
  return found->second;
}

void require_written(std::span<const Variables::Entry* const> read) {
  for (const Variables::Entry* entry : read) {
    if (entry->written) continue;
    fail(Error::Category::usage, "variable", "read by this step but never written", entry->name,
         "initialise it or load a checkpoint before the first step");
  }
}

}  // namespace qfw::lowering
