#include <fmt/format.h>
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "image/jpeg.h"
#include "qfw/error.h"

namespace qfw::image {

namespace {

/// As with JPEG: errors leave by a long jump, over nothing that has a destructor.
struct Errors {
  std::jmp_buf way_out;
  char message[256] = {};
};

[[noreturn]] void leave(png_structp codec, png_const_charp message) {
  auto* errors = static_cast<Errors*>(png_get_error_ptr(codec));
  std::strncpy(errors->message, message, sizeof errors->message - 1);
  std::longjmp(errors->way_out, 1);
}

struct Source {
  std::span<const std::byte> left;
};

void read_bytes(png_structp codec, png_bytep to, std::size_t count) {
  auto* source = static_cast<Source*>(png_get_io_ptr(codec));
  if (source->left.size() < count) png_error(codec, "it ends early");
  std::memcpy(to, source->left.data(), count);
  source->left = source->left.subspan(count);
}

void write_bytes(png_structp codec, png_bytep from, std::size_t count) {
  auto* bytes = static_cast<std::vector<std::byte>*>(png_get_io_ptr(codec));
  bytes->insert(bytes->end(), reinterpret_cast<std::byte*>(from), reinterpret_cast<std::byte*>(from) + count);
}

bool read_header(png_structp codec, png_infop info, Errors& errors) {
  if (setjmp(errors.way_out) != 0) return false;
  png_set_user_limits(codec, 1u << 24, 1u << 24);
  png_read_info(codec, info);
  return true;
}

bool read_pixels(png_structp codec, png_infop info, Errors& errors, std::uint8_t* to, std::size_t height, std::size_t stride) {
  if (setjmp(errors.way_out) != 0) return false;
  png_set_strip_16(codec);
  png_set_expand(codec);  // palettes, few bits, transparency
  png_set_strip_alpha(codec);
  png_set_gray_to_rgb(codec);
  const int passes = png_set_interlace_handling(codec);
  png_read_update_info(codec, info);
  if (png_get_rowbytes(codec, info) != stride) png_error(codec, "its rows are of an unexpected kind");
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t y = 0; y < height; ++y) png_read_row(codec, to + y * stride, nullptr);
  }
  png_read_end(codec, nullptr);
  return true;
}

class Codec {
 public:
  explicit Codec(std::span<const std::byte> bytes) : source_{bytes}, size_(bytes.size()) {
    codec_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &errors_, leave, [](png_structp, png_const_charp) {});
    info_ = codec_ != nullptr ? png_create_info_struct(codec_) : nullptr;
    if (info_ == nullptr) {
      png_destroy_read_struct(&codec_, nullptr, nullptr);
      throw std::bad_alloc();
    }
    png_set_read_fn(codec_, &source_, read_bytes);
    if (!read_header(codec_, info_, errors_)) {
      png_destroy_read_struct(&codec_, &info_, nullptr);
      bad();
    }
  }
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  ~Codec() { png_destroy_read_struct(&codec_, &info_, nullptr); }

  Size size() const {
    const auto height = png_get_image_height(codec_, info_), width = png_get_image_width(codec_, info_);
    check_size(height, width);
    return {static_cast<int>(height), static_cast<int>(width)};
  }
  /// Deflate stores 1032 bytes in one at most: a picture of more than its bytes can hold is not worth the memory.
  void check_bytes() {
    if (png_get_rowbytes(codec_, info_) * png_get_image_height(codec_, info_) / 1032 <= size_) return;
    fail(Error::Category::data, "png", "this PNG is damaged: it is too short for its size");
  }
  void read(std::uint8_t* to) {
    const Size size = this->size();
    if (!read_pixels(codec_, info_, errors_, to, static_cast<std::size_t>(size.height),
                     std::size_t{3} * static_cast<std::size_t>(size.width)))
      bad();
  }

 private:
  [[noreturn]] void bad() { fail(Error::Category::data, "png", fmt::format("this PNG is damaged: {}", errors_.message)); }

  Source source_;
  std::size_t size_;
  Errors errors_;
  png_structp codec_ = nullptr;
  png_infop info_ = nullptr;
};

bool write_all(png_structp codec, png_infop info, Errors& errors, const Pixels& pixels) {
  if (setjmp(errors.way_out) != 0) return false;
  const int kind = pixels.channels == 1 ? PNG_COLOR_TYPE_GRAY : PNG_COLOR_TYPE_RGB;
  png_set_IHDR(codec, info, static_cast<png_uint_32>(pixels.width), static_cast<png_uint_32>(pixels.height), 8, kind,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(codec, info);
  const std::size_t stride = static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.channels);
  for (int y = 0; y < pixels.height; ++y) png_write_row(codec, pixels.data.data() + static_cast<std::size_t>(y) * stride);
  png_write_end(codec, nullptr);
  return true;
}

}  // namespace

Size png_size(std::span<const std::byte> bytes) { return Codec(bytes).size(); }

Size decode_png(std::span<const std::byte> bytes, std::vector<std::uint8_t>& pixels) {
  Codec codec(bytes);
  const Size size = codec.size();
  codec.check_bytes();
  pixels.resize(std::size_t{3} * static_cast<std::size_t>(size.height) * static_cast<std::size_t>(size.width));
  codec.read(pixels.data());
  return size;
}

std::vector<std::byte> encode_png(const Pixels& pixels) {
  if (pixels.channels != 1 && pixels.channels != 3) {
    fail(Error::Category::data, "png", fmt::format("pictures of {} channels cannot be stored", pixels.channels));
  }
  Errors errors;
  std::vector<std::byte> bytes;
  png_structp codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, &errors, leave, [](png_structp, png_const_charp) {});
  png_infop info = codec != nullptr ? png_create_info_struct(codec) : nullptr;
  bool done = false;
  if (info != nullptr) {
    png_set_write_fn(codec, &bytes, write_bytes, [](png_structp) {});
    done = write_all(codec, info, errors, pixels);
  }
  png_destroy_write_struct(&codec, &info);
  if (!done) fail(Error::Category::data, "png", fmt::format("cannot encode the picture: {}", errors.message));
  return bytes;
}

}  // namespace qfw::image
