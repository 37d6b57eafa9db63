#include "recipe/recorded.h"

#include <utility>

#include "qfw/error.h"
#include "recipe/source.h"
#include "util/text.h"

namespace qfw::recipe {

Recorded recorded_recipe(std::string text) {
  const bool ends = text.ends_with('\n');
  if (text.find_first_not_of(" \t\r\n") == std::string::npos) return {.description = {}, .fault = "it is empty"};
  if (std::string fault = encoding_fault(text); !fault.empty()) return {.description = {}, .fault = std::move(fault)};
  Recorded recorded;
  try {
    Problems problems;
    const Source source = read_ini(plain_text(std::move(text), "recipe.ini"), "recipe.ini", recipe_rank, problems);
    problems.raise();
    if (const Entry* description = source.find("", "description")) recorded.description = description->text.value;
    if (source.find("model", "name") == nullptr) recorded.fault = "it names no model, as the recipe of every run does";
    if (!ends) recorded.fault = "its last line is cut off";
  } catch (const Error& error) {
    recorded.fault = error.what();
  }
  return recorded;
}

}  // namespace qfw::recipe
