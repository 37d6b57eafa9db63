#include "constant.h"

#undef QFW_ABI_VERSION
#define QFW_ABI_VERSION 99

LEAVE_WORD_WHEN_OPENED("WRONG_ABI")

QFW_PLUGIN("schedule:wrong_abi", .name = "wrong_abi", .version = "1", .licence = "Apache-2.0", .description = "of another ABI")
(qfw::Registry& registry) { registry.add<Constant>("wrong_abi", "never seen"); }
