#include "constant.h"

// The tag is right, so the library is opened; only then is the manifest found to be wrong.
extern "C" QFW_API const char qfw_plugin_tag[];
__attribute__((used)) constinit const char qfw_plugin_tag[] =
    "\x01QFW-PLUGIN\x01" QFW_STRINGIZE(QFW_ABI_VERSION) "\x01" QFW_FINGERPRINT "\x01schedule:wrong_manifest\x01\x01QFW-END\x01";

extern "C" QFW_API const qfw::PluginManifest QFW_MANIFEST_SYMBOL;
constinit const qfw::PluginManifest QFW_MANIFEST_SYMBOL{
    .magic = 0xbad, .size = 8, .about = {.name = "wrong_manifest"}, .register_factories = [](qfw::Registry&) { std::abort(); }};
