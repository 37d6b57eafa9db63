// Other words for keys and values, which formats bring.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_plugins.h"
#include "recipe/sections.h"

namespace qfw::testing {
namespace {

using ::testing::HasSubstr;

const std::string lines = "base_config_format = lines\n";

TEST(Aliases, OfTheDefaultFormatHoldWhereNoneIsNamed) {
  EXPECT_EQ(parse(minimal + "[quantizer]\nquant_target = WEIGHTS_AND_AUTO_ACT\n").name("quantizer"), "weights_and_auto_acts");
  EXPECT_EQ(parse(minimal, {std::string("base_config_format=") + recipe::default_format, "quantizer.quant_target=NONE"})
                .name("quantizer"),
            "none");
  EXPECT_EQ(error_of(minimal + "[optimizer]\ninertia = 0.5\n"),
            "r.ini:6: optimizer.inertia: optimizer sgd has no such option; valid names: weight_decay, name, momentum");
}

TEST(Aliases, OfTheFormatThatIsNamedHoldInItsPlace) {
  EXPECT_EQ(value_of(parse(lines + minimal + "[optimizer]\ninertia = 0.5\n"), "optimizer", "momentum"), "0.5");
  EXPECT_THAT(error_of(lines + minimal + "[quantizer]\nquant_target = NONE\n"),
              HasSubstr("quantizer.quant_target: quantizer none has no such option"));
}

TEST(Aliases, OfValuesHoldUnderBothWordsForTheKey) {
  EXPECT_EQ(value_of(parse(lines + minimal + "[optimizer]\ninertia = lots\n"), "optimizer", "momentum"), "0.99");
  EXPECT_EQ(value_of(parse(lines + minimal + "[optimizer]\nmomentum = Lots\n"), "optimizer", "momentum"), "0.99");
  EXPECT_EQ(parse(lines + minimal, {"train.steps=forever"}).train().steps, std::nullopt);
  EXPECT_EQ(parse(minimal + "[quantizer]\nname = weights_and_fixed_act\n").name("quantizer"), "weights_and_fixed_acts");
}

TEST(Aliases, NeverHideAPlugin) {
  EXPECT_EQ(parse(minimal + "[quantizer]\nquant_target = WEIGHTS_ONLY\n").name("quantizer"), "weights_only");
}

TEST(Aliases, AMistakeIsToldInTheWordThatWasWritten) {
  EXPECT_EQ(error_of(lines + minimal + "[optimizer]\ninertia = 2\n"),
            "r.ini:7: optimizer.inertia: 2 is too large, must be at most 1");
  EXPECT_EQ(error_of(lines + minimal + "[optimizer]\ninertia = 1\nmomentum = 1\n"),
            "r.ini:7: optimizer.inertia: is another word for momentum, which is given, too (r.ini:8)");
  EXPECT_EQ(error_of(minimal + "[layer:dense]\nquant_target = NONE\n"),
            "r.ini:6: layer:dense.quant_target: a layer cannot have another quantizer, only other options of it (bounds, "
            "weight_prec, ...)");
}

TEST(Aliases, LaterSourcesWinWhicheverWordTheyUse) {
  EXPECT_EQ(
      value_of(parse(lines + minimal + "[optimizer]\ninertia = 0.5\n", {"optimizer.momentum=0.25"}), "optimizer", "momentum"),
      "0.25");
  EXPECT_EQ(
      value_of(parse(lines + minimal + "[optimizer]\nmomentum = 0.5\n", {"optimizer.inertia=0.25"}), "optimizer", "momentum"),
      "0.25");
}

TEST(Aliases, AFormatThatIsNotThereOrFailsIsNamed) {
  EXPECT_THAT(error_of("base_config_format = keras\n" + minimal), HasSubstr("r.ini:1: base_config_format: "));
  EXPECT_EQ(error_of("base_config_format = broken\n" + minimal),
            "another category: r.ini:1: base_config_format: [broken] no words at all");
}

}  // namespace
}  // namespace qfw::testing
