// A recipe, with made-up plugins of every kind. What is read prints as a recipe that reads the same.
#include "recipe/recipe.h"

#include "fake_plugins.h"
#include "input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  const std::string_view text = fuzz::text(data, size);
  if (text.find("include") != std::string_view::npos || text.find("config") != std::string_view::npos) return 0;  // reads files
  static const auto plugins = std::make_shared<testing::FakePlugins>();
  std::string printed;
  fuzz::expect_no_worse_than_an_error([&] { printed = Recipe::parse(text, "fuzz.ini", {}, plugins).text(); });
  if (!printed.empty() && Recipe::parse(printed, "again.ini", {}, plugins).text() != printed) std::abort();
  // The same as a command line: a `section.key=value` per line.
  std::vector<std::string> overrides;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    overrides.emplace_back(text.substr(at, end - at));
    at = end + 1;
  }
  fuzz::expect_no_worse_than_an_error([&] { Recipe::parse(testing::minimal, "fuzz.ini", overrides, plugins); });
  return 0;
}
