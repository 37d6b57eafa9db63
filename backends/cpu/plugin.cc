#include "qfw/plugin.h"

#include "backend.h"

QFW_PLUGIN("backend:cpu", .name = "cpu", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "training and inference on CPUs, integer convolutions included")
(qfw::Registry& registry) {
  registry.add<qfw::cpu::CpuBackend>("cpu", "oneDNN matmuls, fused passes between them, static memory plan");
}
