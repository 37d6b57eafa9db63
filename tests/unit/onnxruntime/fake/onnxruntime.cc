// What a search for ONNX Runtime looks at in a library, and no more.
#include <cstdint>

namespace {

#ifdef FAKE_OLD
constexpr const char* version_text = "1.8.1";
#else
constexpr const char* version_text = "1.99.0";
#endif

const void* const* get_api([[maybe_unused]] std::uint32_t version) {
#ifdef FAKE_OLD
  return nullptr;
#else
  static const void* const functions[200]{};
  return version <= 99 ? functions : nullptr;
#endif
}

const char* version() { return version_text; }

struct Base {
  const void* const* (*get_api)(std::uint32_t version);
  const char* (*version)();
};

constexpr Base base{&get_api, &version};

}  // namespace

#ifdef FAKE_FOREIGN
extern "C" __attribute__((visibility("default"))) const void* SomethingElse() { return &base; }
#else
extern "C" __attribute__((visibility("default"))) const void* OrtGetApiBase() { return &base; }
#endif
