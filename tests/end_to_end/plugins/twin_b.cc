#include "constant.h"

QFW_PLUGIN("schedule:twin schedule:only_b", .name = "twin_b", .version = "1", .licence = "Apache-2.0",
           .description = "one of two of the same name")
(qfw::Registry& registry) {
  registry.add<Constant>("twin", "twin b");
  registry.add<Constant>("only_b", "only in b");
}
