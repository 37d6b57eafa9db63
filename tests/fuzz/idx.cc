// A pair of gzip IDX files. First byte: 0: the rest is two gzip files; else it is their content, which is compressed here, as
// gzip's own checksum keeps nearly all inputs out. Two bytes say how long the first one is.
#include "idx.h"

#include <zlib.h>

#include "input.h"

namespace {

std::string gzip(std::string_view content) {
  z_stream stream{};
  if (deflateInit2(&stream, 1, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) std::abort();
  std::string out(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  if (size < 3) return 0;
  const std::string_view rest = fuzz::text(data + 3, size - 3);
  const std::size_t split = std::min<std::size_t>(rest.size(), static_cast<std::size_t>(data[1]) << 8 | data[2]);
  const bool raw = data[0] == 0;
  const auto file = [&](std::string_view part) { return raw ? std::string(part) : gzip(part); };
  const fuzz::MemoryFile images(file(rest.substr(0, split))), labels(file(rest.substr(split)));
  fuzz::expect_no_worse_than_an_error([&] {
    const fashion_mnist::Images read = fashion_mnist::read_images(images.path(), labels.path());
    if (read.count <= 0 || read.labels.size() != static_cast<std::size_t>(read.count)) std::abort();
  });
  return 0;
}
