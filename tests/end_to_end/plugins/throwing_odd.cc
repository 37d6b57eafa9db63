#include "constant.h"

QFW_PLUGIN("schedule:throwing_odd", .name = "throwing_odd", .version = "1", .licence = "Apache-2.0",
           .description = "throws what is no exception")
(qfw::Registry&) { throw 42; }
