#include "constant.h"

// It says what it provides, but has nothing to provide it with.
extern "C" QFW_API const char qfw_plugin_tag[];
__attribute__((used)) constinit const char qfw_plugin_tag[] =
    "\x01QFW-PLUGIN\x01" QFW_STRINGIZE(QFW_ABI_VERSION) "\x01" QFW_FINGERPRINT "\x01schedule:no_manifest\x01\x01QFW-END\x01";

LEAVE_WORD_WHEN_OPENED("NO_MANIFEST")
