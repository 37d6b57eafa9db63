// tf.train.Example: whatever is found lies within the input.
#include "example.h"

#include "input.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const char* name : {"image", "label", "file_name", ""}) {
    try {
      const auto feature = tfds::find_feature(bytes, name);
      if (!feature || !feature->bytes || feature->bytes->empty()) continue;
      if (feature->bytes->data() < bytes.data() || feature->bytes->data() + feature->bytes->size() > bytes.data() + size)
        std::abort();
    } catch (const std::string& what) {
      if (what.empty()) std::abort();
    }
  }
  return 0;
}
