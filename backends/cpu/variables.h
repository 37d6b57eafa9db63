#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "pages.h"
#include "qfw/graph.h"

namespace qfw::cpu {

/// The variables of a backend, by name, shared by all its executables. Their memory never moves.
class VariableStore {
 public:
  struct Entry {
    std::string name;
    TensorType type;
    std::byte* data = nullptr;
    bool written = false;
  };

  /// Makes those it does not have. Returns an entry for each, which stays valid. Throws if a type differs.
  std::vector<Entry*> declare(std::span<const Variable> variables);

  void read(std::string_view name, HostTensor to) const;
  void write(std::string_view name, HostView from);

 private:
  const Entry& find(std::string_view name, const TensorType& asked, std::size_t bytes) const;

  std::map<std::string, Entry, std::less<>> entries_;  // a map, for entries must not move
  std::vector<Pages> slabs_;
};

}  // namespace qfw::cpu
