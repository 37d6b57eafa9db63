#include "qfw/plugin.h"

#include "codes.h"

QFW_PLUGIN("exporter:codes", .name = "codes", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "networks of integers as arrays, for C and FPGAs")
(qfw::Registry& registry) {
  registry.add<qfw::codes::Codes>(
      "codes", "integer codes, scales and thresholds as arrays in .npz or .h5, for people who write C or logic");
}
