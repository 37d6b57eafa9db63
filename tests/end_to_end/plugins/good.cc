#include "constant.h"

LEAVE_WORD_WHEN_OPENED("GOOD")

QFW_PLUGIN("schedule:good schedule:Good_Too", .name = "good", .version = "1.2.3", .licence = "Apache-2.0",
           .description =
               "a \"constant\" rate, "
               "for tests")
(qfw::Registry& registry) {
  registry.add<Constant>("good", "stays where it is");
  registry.add<Constant>("Good_Too", "the same, higher", {.level = 2});
}
