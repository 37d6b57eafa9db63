#pragma once

#include <string>

namespace qfw::recipe {

/// A run's recipe.ini, as Recipe::text() wrote it: what lists say of it, and whether it is still whole.
struct Recorded {
  std::string description;
  std::string fault;  ///< "it is empty"; none if nothing can be seen to be wrong
};

/// Checks form alone: plugins and their options may be those of another version.
Recorded recorded_recipe(std::string text);

}  // namespace qfw::recipe
