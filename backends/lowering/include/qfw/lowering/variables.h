#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/lowering/target.h"

namespace qfw::lowering {

/// The variables of a backend, by name, shared by all its executables. Their memory, the backend's own, never moves.
class Variables {
 public:
  struct Entry {
    std::string name;
    TensorType type;
    std::byte* data = nullptr;  ///< as the backend allocated it: an address of the device's, perhaps
    bool written = false;
  };

  /// `allocate` gives so many bytes, aligned as the target says, that stay until the backend ends.
  Variables(const Target& target, std::function<std::byte*(std::size_t bytes)> allocate);

  /// Makes those it does not have. Returns an entry for each, which stays valid. Throws Category::graph if a type differs.
  std::vector<Entry*> declare(std::span<const Variable> variables);

  /// Throws Category::usage for a name that nothing declared, and for another type or size than the variable's.
  Entry& find(std::string_view name, const TensorType& asked, std::size_t bytes);

 private:
  Target target_;
  std::function<std::byte*(std::size_t)> allocate_;
  std::map<std::string, Entry, std::less<>> entries_;  // a map, for entries must not move
};

/// Throws Category::usage, naming it, for the first of these that was never written.
void require_written(std::span<const Variables::Entry* const> read);

}  // namespace qfw::lowering
