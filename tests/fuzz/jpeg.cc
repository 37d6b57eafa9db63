// Pictures as they come from a data set: the size, a window that the first bytes choose, and all of it.
#include "input.h"
#include "qfw/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  if (size < 4) return 0;
  const Example example{
      .encoding = Example::Encoding::jpeg, .shape = {}, .bytes = std::as_bytes(std::span(data + 4, size - 4))};
  static image::Decoder decoder;
  fuzz::expect_no_worse_than_an_error([&] {
    const image::Size picture = decoder.size(example);
    if (std::int64_t{picture.height} * picture.width > 1 << 20) return;  // slow, not different
    const int y = data[0] * picture.height / 256, x = data[1] * picture.width / 256;
    const image::Window window{y, x, 1 + data[2] * (picture.height - y - 1) / 255, 1 + data[3] * (picture.width - x - 1) / 255};
    const image::Pixels pixels = decoder.decode(example, window);
    if (pixels.data.size() !=
        std::size_t{3} * static_cast<std::size_t>(window.height) * static_cast<std::size_t>(window.width)) {
      std::abort();
    }
  });
  fuzz::expect_no_worse_than_an_error([&] {
    const image::Size picture = decoder.size(example);
    if (std::int64_t{picture.height} * picture.width <= 1 << 20) decoder.decode(example);
  });
  return 0;
}
