#include <stdexcept>

#include "constant.h"

QFW_PLUGIN("schedule:throwing schedule:throwing_later", .name = "throwing", .version = "1", .licence = "Apache-2.0",
           .description = "throws half-way")
(qfw::Registry& registry) {
  registry.add<Constant>("throwing", "registered, but the transaction fails");
  throw std::runtime_error("no licence server found");
}
