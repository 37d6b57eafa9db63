#include "constant.h"

QFW_PLUGIN("schedule:twin schedule:only_a", .name = "twin_a", .version = "1", .licence = "Apache-2.0",
           .description = "one of two of the same name")
(qfw::Registry& registry) {
  registry.add<Constant>("twin", "twin a");
  registry.add<Constant>("only_a", "only in a");
}
