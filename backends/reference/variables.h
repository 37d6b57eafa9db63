#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/graph.h"

namespace qfw::reference {

/// The variables of a backend by name, shared by its executables.
class Variables {
 public:
  struct Stored {
    TensorType type;
    std::vector<std::byte> bytes;
    bool written = false;
  };

  /// The variable, made if new; its address stays. Throws if it exists with another type.
  Stored& declare(const Variable& variable);

  /// Throw for a name nothing declared, and for another type.
  Stored& find(std::string_view name, const TensorType& type);

 private:
  std::map<std::string, Stored, std::less<>> stored_;
};

}  // namespace qfw::reference
