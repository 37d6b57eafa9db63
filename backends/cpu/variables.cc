#include "variables.h"

#include <fmt/format.h>

#include <cstring>

#include "qfw/error.h"

namespace qfw::cpu {

std::vector<VariableStore::Entry*> VariableStore::declare(std::span<const Variable> variables) {
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
    if (is_new) bytes += aligned(entry.type.bytes());
    entries.push_back(&entry);
  }
  if (bytes == 0) return entries;

  std::byte* next = slabs_.emplace_back(bytes).data();
  for (Entry* entry : entries) {
    if (entry->data != nullptr) continue;
    entry->data = next;
    next += aligned(entry->type.bytes());
  }
  return entries;
}

void VariableStore::read(std::string_view name, HostTensor to) const {
  const Entry& entry = find(name, to.type, to.bytes.size());
  std::memcpy(to.bytes.data(), entry.data, entry.type.bytes());
}

void VariableStore::write(std::string_view name, HostView from) {
  const Entry& entry = find(name, from.type, from.bytes.size());
  std::memcpy(entry.data, from.bytes.data(), entry.type.bytes());
  entries_.find(name)->second.written = true;
}

const VariableStore::Entry& VariableStore::find(std::string_view name, const TensorType& asked, std::size_t bytes) const {
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

}  // namespace qfw::cpu
