#pragma once

#include <cstdint>

#include "qfw/headers_hash.h"  // made by the build
#include "qfw/registry.h"

#define QFW_STRINGIZE_(...) #__VA_ARGS__
#define QFW_STRINGIZE(...) QFW_STRINGIZE_(__VA_ARGS__)
#define QFW_CONCATENATE_(a, b) a##b
#define QFW_CONCATENATE(a, b) QFW_CONCATENATE_(a, b)

#define QFW_ABI_VERSION 1
#define QFW_MANIFEST_SYMBOL QFW_CONCATENATE(qfw_plugin_manifest_v, QFW_ABI_VERSION)

#ifdef __has_feature
#define QFW_HAS_FEATURE(x) __has_feature(x)
#else
#define QFW_HAS_FEATURE(x) 0
#endif
#if defined(__clang__)
#define QFW_COMPILER "clang " QFW_STRINGIZE(__clang_major__)
#else
#define QFW_COMPILER "gcc " QFW_STRINGIZE(__GNUC__)
#endif
#if defined(__SANITIZE_ADDRESS__) || QFW_HAS_FEATURE(address_sanitizer)
#define QFW_FLAVOUR "asan"
#elif defined(__SANITIZE_THREAD__) || QFW_HAS_FEATURE(thread_sanitizer)
#define QFW_FLAVOUR "tsan"
#elif defined(_GLIBCXX_DEBUG)
#define QFW_FLAVOUR "debug containers"
#else
#define QFW_FLAVOUR "plain"
#endif

/// Must equal the core's, word for word: C++ types cross the boundary. Parts are separated by "; ".
#define QFW_FINGERPRINT                                                                                   \
  "compiler " QFW_COMPILER "; libstdc++ cxx11=" QFW_STRINGIZE(_GLIBCXX_USE_CXX11_ABI) "; c++ " QFW_STRINGIZE( \
      __cplusplus) "; flavour " QFW_FLAVOUR "; headers " QFW_HEADERS_HASH

namespace qfw {

/// What a plugin library exports, and all of it: plain data, readable before any of the library's code has run.
struct PluginManifest {
  struct About {
    const char* name;
    const char* version;
    const char* licence;
    const char* description;
    const char* provides;  ///< "kind:name" of every factory, separated by spaces: "quantizer:lsq"
  };

  std::uint32_t magic = 0x51465750;  ///< "QFWP"
  std::uint32_t size = sizeof(PluginManifest);
  std::uint32_t abi = QFW_ABI_VERSION;
  const char* fingerprint = QFW_FINGERPRINT;
  About about;
  void (*register_factories)(Registry&) = nullptr;
};

}  // namespace qfw

/// Once per plugin library, followed by the body of its register function. The first argument names what is provided; the core
/// reads it from the file (qfw_plugin_tag) before it opens the library:
///
///   QFW_PLUGIN("quantizer:lsq", .name = "lsq", .version = "1.0.0", .licence = "Apache-2.0",
///              .description = "learned step size quantization")
///   (qfw::Registry& registry) { registry.add<Lsq>("lsq", "learned step size, arXiv 1902.08153"); }
#define QFW_PLUGIN(provided, ...)                                                                                  \
  static void qfw_register_factories(::qfw::Registry&);                                                            \
  extern "C" QFW_API const char qfw_plugin_tag[];                                                                  \
  __attribute__((used)) constinit const char qfw_plugin_tag[] =                                                    \
      "\x01QFW-PLUGIN\x01" QFW_STRINGIZE(QFW_ABI_VERSION) "\x01" QFW_FINGERPRINT "\x01" provided                   \
      "\x01" QFW_STRINGIZE(__VA_ARGS__) "\x01QFW-END\x01";                                                         \
  extern "C" QFW_API const ::qfw::PluginManifest QFW_MANIFEST_SYMBOL;                                              \
  constinit const ::qfw::PluginManifest QFW_MANIFEST_SYMBOL{.about = {__VA_ARGS__, .provides = provided},          \
                                                            .register_factories = &qfw_register_factories};        \
  static void qfw_register_factories
