#include "image/jpeg.h"

#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "qfw/error.h"

namespace qfw::image {

namespace {

/// libjpeg reports errors by calling back, from where only a long jump leads out. Between setjmp and what may jump, functions
/// here have no objects with destructors.
struct Errors {
  jpeg_error_mgr manager;
  std::jmp_buf way_out;
  char message[JMSG_LENGTH_MAX] = {};
};

[[noreturn]] void leave(j_common_ptr codec) {
  auto* errors = reinterpret_cast<Errors*>(codec->err);
  codec->err->format_message(codec, errors->message);
  std::longjmp(errors->way_out, 1);
}

/// Warnings: what says that pixels are missing is an error, the rest (odd bytes between segments) is left to the decoder, as
/// other readers do.
void on_message(j_common_ptr codec, int level) {
  if (level < 0 && (codec->err->msg_code == JWRN_JPEG_EOF || codec->err->msg_code == JWRN_HIT_MARKER)) leave(codec);
}

/// Each scan of a progressive picture goes over all of it: 94 kB of thousands took 11 s.
constexpr int most_scans = 500;

void limit_scans(j_common_ptr codec) {
  if (reinterpret_cast<j_decompress_ptr>(codec)->input_scan_number <= most_scans) return;
  auto* errors = reinterpret_cast<Errors*>(codec->err);
  std::snprintf(errors->message, sizeof errors->message, "it has more than %d scans", most_scans);
  std::longjmp(errors->way_out, 1);
}

void set_up(Errors& errors) {
  jpeg_std_error(&errors.manager);
  errors.manager.error_exit = leave;
  errors.manager.emit_message = on_message;
  errors.manager.output_message = [](j_common_ptr) {};
}

[[noreturn]] void bad(const char* message) {
  fail(Error::Category::data, "jpeg", fmt::format("this JPEG is damaged: {}", message));
}

void open_source(jpeg_decompress_struct& codec, std::span<const std::byte> bytes) {
  jpeg_mem_src(&codec, reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<unsigned long>(bytes.size()));
  codec.src->fill_input_buffer = [](j_decompress_ptr source) -> boolean {
    source->err->msg_code = JWRN_JPEG_EOF;
    leave(reinterpret_cast<j_common_ptr>(source));
  };
}

bool is_cmyk(const jpeg_decompress_struct& codec) {
  return codec.jpeg_color_space == JCS_CMYK || codec.jpeg_color_space == JCS_YCCK;
}

/// The header, and the decoder's settings.
bool begin(jpeg_decompress_struct& codec, Errors& errors, std::span<const std::byte> bytes) {
  if (setjmp(errors.way_out) != 0) return false;
  jpeg_create_decompress(&codec);
  open_source(codec, bytes);
  jpeg_read_header(&codec, TRUE);
  codec.out_color_space = is_cmyk(codec) ? JCS_CMYK : JCS_RGB;
  codec.do_fancy_upsampling = TRUE;
  return true;
}

/// Four channels to three. Adobe writes them inverted.
void cmyk_to_rgb(const std::uint8_t* from, int count, bool inverted, std::uint8_t* to) {
  for (int i = 0; i < count; ++i, from += 4, to += 3) {
    const int key = inverted ? from[3] : 255 - from[3];
    for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>(key * (inverted ? from[c] : 255 - from[c]) / 255);
  }
}

/// Where the rows go: `row` takes what the decoder gives, which begins `skip` pixels before the window.
struct Rows {
  std::uint8_t* to;
  int width, height;  ///< of the window
};

/// To what begins at a multiple of 16, libjpeg-turbo may write past the caches, and reading it soon after is slow.
bool past_caches(const std::uint8_t* at) { return reinterpret_cast<std::uintptr_t>(at) % 16 == 0; }

/// `row` has room for a whole line of the picture.
bool read_rows(jpeg_decompress_struct& codec, Errors& errors, const Window& window, const Rows& rows, std::uint8_t* row) {
  if (setjmp(errors.way_out) != 0) return false;
  jpeg_start_decompress(&codec);
  auto x = static_cast<JDIMENSION>(window.x), width = static_cast<JDIMENSION>(window.width);
  if (width != codec.output_width) jpeg_crop_scanline(&codec, &x, &width);
  if (window.y > 0) jpeg_skip_scanlines(&codec, static_cast<JDIMENSION>(window.y));
  const int skip = window.x - static_cast<int>(x);  // the decoder begins at a whole block
  const bool direct = !is_cmyk(codec) && static_cast<int>(codec.output_width) == rows.width;
  for (int y = 0; y < rows.height; ++y) {
    std::uint8_t* to = rows.to + static_cast<std::size_t>(y) * static_cast<std::size_t>(rows.width) * 3;
    const bool in_place = direct && !past_caches(to);
    JSAMPROW target = in_place ? to : row;
    if (jpeg_read_scanlines(&codec, &target, 1) != 1) leave(reinterpret_cast<j_common_ptr>(&codec));
    if (is_cmyk(codec)) {
      cmyk_to_rgb(row + std::size_t{4} * static_cast<std::size_t>(skip), rows.width, codec.saw_Adobe_marker, to);
    } else if (!in_place) {
      std::memcpy(to, row + std::size_t{3} * static_cast<std::size_t>(skip),
                  std::size_t{3} * static_cast<std::size_t>(rows.width));
    }
  }
  return true;  // the rest of the picture is not looked at
}

/// Owns a decoder, whatever state it is in.
class Codec {
 public:
  explicit Codec(std::span<const std::byte> bytes) : size_(bytes.size()) {
    std::memset(&codec_, 0, sizeof codec_);
    set_up(errors_);
    codec_.err = &errors_.manager;
    if (!begin(codec_, errors_, bytes)) {
      jpeg_destroy_decompress(&codec_);
      bad(errors_.message);
    }
    progress_.progress_monitor = limit_scans;
    codec_.progress = &progress_;
  }
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;
  ~Codec() { jpeg_destroy_decompress(&codec_); }

  Size size() const {
    check_size(codec_.image_height, codec_.image_width);
    // A block of 64 pixels takes a bit at least (a quarter of one, however oddly colours are sampled): a picture of more pixels
    // than its bytes can hold is not worth the memory.
    if (!codec_.arith_code && codec_.image_height / 8 * (codec_.image_width / 8) / 32 > size_)
      bad("it is too short for its size");
    return {static_cast<int>(codec_.image_height), static_cast<int>(codec_.image_width)};
  }
  void read(const Window& window, JpegTransform transform, std::uint8_t* to, std::vector<std::uint8_t>& row) {
    codec_.dct_method = transform == JpegTransform::fast ? JDCT_IFAST : JDCT_ISLOW;
    row.resize(std::size_t{4} * codec_.image_width + 64);
    std::uint8_t* line = row.data() + (past_caches(row.data()) ? 8 : 0);
    if (!read_rows(codec_, errors_, window, {to, window.width, window.height}, line)) bad(errors_.message);
  }

 private:
  std::size_t size_;
  jpeg_decompress_struct codec_;
  jpeg_progress_mgr progress_{};
  Errors errors_;
};

/// From the frame header, without a decoder; empty where other than well-formed segments come before it.
std::optional<Size> frame_size(std::span<const std::byte> bytes) {
  const auto byte = [&](std::size_t at) { return std::to_integer<int>(bytes[at]); };
  for (std::size_t at = 2; at + 9 <= bytes.size() && byte(at) == 0xff;) {
    const int marker = byte(at + 1), length = byte(at + 2) * 256 + byte(at + 3);
    const bool frame = marker >= 0xc0 && marker <= 0xcf && marker != 0xc4 && marker != 0xc8 && marker != 0xcc;
    if (frame) return Size{byte(at + 5) * 256 + byte(at + 6), byte(at + 7) * 256 + byte(at + 8)};
    if (marker < 0xc0 || (marker >= 0xd0 && marker <= 0xda) || marker == 0xff || length < 2) return std::nullopt;
    at += 2 + static_cast<std::size_t>(length);
  }
  return std::nullopt;
}

/// Its lifetime is the thread's, so that lines need no allocation for every picture.
std::vector<std::uint8_t>& line_buffer() {
  thread_local std::vector<std::uint8_t> buffer;
  return buffer;
}

bool compress(jpeg_compress_struct& codec, Errors& errors, const Pixels& pixels, int quality, unsigned char** memory,
              unsigned long* size) {
  if (setjmp(errors.way_out) != 0) return false;
  jpeg_create_compress(&codec);
  jpeg_mem_dest(&codec, memory, size);
  codec.image_height = static_cast<JDIMENSION>(pixels.height);
  codec.image_width = static_cast<JDIMENSION>(pixels.width);
  codec.input_components = pixels.channels;
  codec.in_color_space = pixels.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&codec);
  jpeg_set_quality(&codec, quality, TRUE);
  codec.optimize_coding = TRUE;
  jpeg_start_compress(&codec, TRUE);
  const std::size_t stride = static_cast<std::size_t>(pixels.width) * static_cast<std::size_t>(pixels.channels);
  while (codec.next_scanline < codec.image_height) {
    auto* row = const_cast<JSAMPROW>(pixels.data.data() + codec.next_scanline * stride);
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  return true;
}

}  // namespace

void check_size(std::int64_t height, std::int64_t width, std::int64_t most) {
  if (height < 1 || width < 1) fail(Error::Category::data, "image", fmt::format("a picture of {} x {} pixels", height, width));
  if (height * width > most) {
    fail(Error::Category::data, "image", fmt::format("a picture of {} x {} pixels; {} are the limit", height, width, most));
  }
}

void check_window(const Window& window, Size picture) {
  if (window.y >= 0 && window.x >= 0 && window.height > 0 && window.width > 0 && window.height <= picture.height - window.y &&
      window.width <= picture.width - window.x) {
    return;
  }
  fail(Error::Category::data, "image",
       fmt::format("a window of {} x {} at {}, {} is not within {} x {} pixels", window.height, window.width, window.y,
                   window.x, picture.height, picture.width));
}

Size jpeg_size(std::span<const std::byte> bytes) {
  const std::optional<Size> found = frame_size(bytes);
  if (!found) return Codec(bytes).size();
  check_size(found->height, found->width);
  return *found;
}

Size decode_jpeg(std::span<const std::byte> bytes, const std::optional<Window>& window, std::vector<std::uint8_t>& pixels,
                 JpegTransform transform) {
  Codec codec(bytes);
  const Size whole = codec.size();
  const Window wanted = window.value_or(Window{0, 0, whole.height, whole.width});
  check_window(wanted, whole);
  pixels.resize(std::size_t{3} * static_cast<std::size_t>(wanted.height) * static_cast<std::size_t>(wanted.width));
  codec.read(wanted, transform, pixels.data(), line_buffer());
  return {wanted.height, wanted.width};
}

std::vector<std::byte> encode_jpeg(const Pixels& pixels, int quality) {
  if ((pixels.channels != 1 && pixels.channels != 3) || pixels.height > 65500 || pixels.width > 65500) {
    fail(Error::Category::data, "jpeg",
         fmt::format("{} x {} x {} pixels cannot be stored", pixels.height, pixels.width, pixels.channels));
  }
  jpeg_compress_struct codec;
  std::memset(&codec, 0, sizeof codec);
  Errors errors;
  set_up(errors);
  codec.err = &errors.manager;
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  const bool done = compress(codec, errors, pixels, quality, &memory, &size);
  jpeg_destroy_compress(&codec);
  std::vector<std::byte> bytes;
  if (done) bytes.assign(reinterpret_cast<std::byte*>(memory), reinterpret_cast<std::byte*>(memory) + size);
  std::free(memory);
  if (!done) fail(Error::Category::data, "jpeg", fmt::format("cannot encode the picture: {}", errors.message));
  return bytes;
}

}  // namespace qfw::image
