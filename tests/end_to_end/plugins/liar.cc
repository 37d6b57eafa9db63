#include "constant.h"

QFW_PLUGIN("schedule:liar schedule:promised", .name = "liar", .version = "1", .licence = "Apache-2.0",
           .description = "registers other than it claims")
(qfw::Registry& registry) {
  registry.add<Constant>("liar", "as claimed");
  registry.add<Constant>("surprise", "not as claimed");
}
