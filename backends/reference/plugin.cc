#include "qfw/plugin.h"

#include "backend.h"

QFW_PLUGIN("backend:reference", .name = "reference", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "every op by its reference kernel: the oracle that other backends are compared with")
(qfw::Registry& registry) {
  registry.add<qfw::reference::Reference>("reference", "plain loops, one thread, sums in double: slow and simple");
}
