#pragma once

#include <string>

#include "qfw/format.h"
#include "recipe/recipe.h"

namespace qfw {

/// That a recipe's network computes with a format's weights what theirs does (Format::required). Throws Error::Category::usage
/// that tells each difference, why it matters, and the options to add. With `trusted` the recipe is right, and differences are
/// warnings; so is, always, what the recipe's plugin has no option for.
void check_requirements(const Recipe& recipe, const Format& format, const std::string& format_name, bool trusted);

}  // namespace qfw
