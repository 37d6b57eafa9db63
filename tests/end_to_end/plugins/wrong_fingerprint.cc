#include "constant.h"

#undef QFW_COMPILER
#define QFW_COMPILER "acme 7"
#undef QFW_HEADERS_HASH
#define QFW_HEADERS_HASH "000000000000"

LEAVE_WORD_WHEN_OPENED("WRONG_FINGERPRINT")

QFW_PLUGIN("schedule:wrong_fingerprint", .name = "wrong_fingerprint", .version = "1", .licence = "Apache-2.0",
           .description = "by another compiler, against other headers")
(qfw::Registry& registry) { registry.add<Constant>("wrong_fingerprint", "never seen"); }
