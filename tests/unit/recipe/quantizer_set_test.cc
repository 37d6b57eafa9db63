#include "recipe/quantizer_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_plugins.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> paths = {"a", "b", "c", "d"};

TEST(QuantizerSet, EqualOptionsShareOneInstance) {
  const Recipe recipe = parse(minimal +
                              "[quantizer]\nname = weights_only\nweight_prec = 4\n[layer:a]\nweight_prec = 8\n[layer:b]\n"
                              "weight_prec = 4\n[layer:c]\nweight_prec = 8\n");
  const QuantizerSet quantizers(recipe, paths);
  EXPECT_EQ(quantizers.all().size(), 2u);
  EXPECT_EQ(&quantizers.quantizer_for("a"), &quantizers.quantizer_for("c"));
  EXPECT_EQ(&quantizers.quantizer_for("b"), &quantizers.quantizer_for("d"));
  EXPECT_EQ(quantizers.all()[0].get(), &quantizers.quantizer_for("a")) << "in the order of first use";
  EXPECT_EQ(quantizers.all()[1].get(), &quantizers.quantizer_for("d"));
  const QuantizerSet other(recipe, paths);
  EXPECT_NE(&other.quantizer_for("a"), &quantizers.quantizer_for("a")) << "the recipe keeps none";
}

TEST(QuantizerSet, PhasesAreOnePerInstanceAndTheirNamesAreSaidOnce) {
  const Recipe recipe =
      parse(minimal +
            "[quantizer]\nname = weights_only\nact_prec = 3\n[layer:b]\nact_prec = 5\n[layer:c]\nact_prec = 5\n"
            "[layer:d]\nact_prec = 3\nweight_prec = 1\n");
  const QuantizerSet quantizers(recipe, paths);
  EXPECT_THAT(quantizers.phases({.step = 0}), ElementsAre(0u, 0u, 0u));
  EXPECT_EQ(quantizers.phase_text({.step = 0}), "quantizing");
  // From step act_prec on these are in phase act_prec.
  EXPECT_THAT(quantizers.phases({.step = 4}), ElementsAre(3u, 0u, 3u));
  EXPECT_EQ(quantizers.phase_text({.step = 4}), "3 | quantizing");
  EXPECT_THAT(quantizers.phases({.step = 5}), ElementsAre(3u, 5u, 3u));
}

TEST(QuantizerSet, WhatIsObservedHasFullNames) {
  const Recipe recipe =
      parse(minimal + "[quantizer]\nname = weights_only\n[layer:b]\nbounds = auto\n[layer:d]\nbounds = auto\n");
  std::vector<std::string> names;
  for (const Quantizer::Observed& each : QuantizerSet(recipe, paths).observed())
    names.push_back(each.variable + " " + each.tag);
  EXPECT_THAT(names, ElementsAre("b/src/limit b/Limits/limit", "d/src/limit d/Limits/limit"));
}

TEST(QuantizerSet, AGlobThatMatchesNoLayerIsRefused) {
  const Recipe recipe =
      parse(minimal + "[quantizer]\nname = weights_only\n[layer:e]\nweight_prec = 8\n[layer:a]\nact_prec = 8\n");
  try {
    const QuantizerSet quantizers(recipe, paths);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::usage);
    EXPECT_STREQ(error.what(), "r.ini:7: [layer:e]: matches no layer; there are a, b, c, d");
  }
}

TEST(QuantizerSet, ALayerThatTheModelDidNotHaveIsRefused) {
  const QuantizerSet quantizers(parse(minimal), paths);
  try {
    quantizers.quantizer_for("e");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("there is no quantizer for 'e'"));
  }
}

}  // namespace
}  // namespace qfw::testing
