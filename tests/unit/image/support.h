#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <jpeglib.h>
#include <png.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "qfw/error.h"
#include "qfw/image.h"
#include "support/files.h"

namespace qfw::test {

/// A picture without edges that is nowhere flat.
struct Picture {
  int height, width, channels;
  std::vector<std::uint8_t> levels;

  Picture(int height, int width, int channels = 3) : height(height), width(width), channels(channels) {
    for (int y = 0; y < height; ++y) {
      for (int x = 0; x < width; ++x) {
        for (int c = 0; c < channels; ++c) {
          const int wave = std::abs((x * 3 + y * (2 + c)) % 60 - 30) - 15;  // without steps
          levels.push_back(static_cast<std::uint8_t>(127 + (40 + 10 * c) * wave / 15));
        }
      }
    }
  }
  image::Pixels pixels() const { return {height, width, channels, levels}; }
  std::vector<std::uint8_t> cut(const image::Window& window) const {
    std::vector<std::uint8_t> part;
    for (int y = window.y; y < window.y + window.height; ++y) {
      const auto row = levels.begin() + (std::ptrdiff_t{y} * width + window.x) * channels;
      part.insert(part.end(), row, row + std::ptrdiff_t{window.width} * channels);
    }
    return part;
  }
};

inline Example example_of(const std::vector<std::byte>& bytes) {
  return {.encoding = Example::Encoding::jpeg, .shape = {}, .bytes = bytes};
}

struct JpegStyle {
  J_COLOR_SPACE from = JCS_RGB, stored = JCS_YCbCr;
  int sampling_h = 1, sampling_v = 1;  ///< of the first component; of chroma 1
  bool progressive = false, adobe = true, arithmetic = false;
  unsigned restart = 0;
  int quality = 95;
};

/// Any kind of JPEG, by libjpeg itself.
inline std::vector<std::byte> jpeg_of(const Picture& picture, const JpegStyle& style) {
  jpeg_compress_struct codec;
  jpeg_error_mgr errors;
  codec.err = jpeg_std_error(&errors);
  jpeg_create_compress(&codec);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&codec, &memory, &size);
  codec.image_height = static_cast<JDIMENSION>(picture.height);
  codec.image_width = static_cast<JDIMENSION>(picture.width);
  codec.input_components = picture.channels;
  codec.in_color_space = style.from;
  jpeg_set_defaults(&codec);
  jpeg_set_colorspace(&codec, style.stored);
  jpeg_set_quality(&codec, style.quality, TRUE);
  codec.comp_info[0].h_samp_factor = style.sampling_h;
  codec.comp_info[0].v_samp_factor = style.sampling_v;
  codec.restart_interval = style.restart;
  codec.arith_code = style.arithmetic;
  if (style.progressive) jpeg_simple_progression(&codec);
  if (!style.adobe) codec.write_Adobe_marker = FALSE;
  jpeg_start_compress(&codec, TRUE);
  const std::size_t stride = static_cast<std::size_t>(picture.width) * static_cast<std::size_t>(picture.channels);
  while (codec.next_scanline < codec.image_height) {
    auto* row = const_cast<JSAMPROW>(picture.levels.data() + codec.next_scanline * stride);
    jpeg_write_scanlines(&codec, &row, 1);
  }
  jpeg_finish_compress(&codec);
  jpeg_destroy_compress(&codec);
  const auto* begin = reinterpret_cast<const std::byte*>(memory);
  const std::vector<std::byte> bytes(begin, begin + size);
  std::free(memory);
  return bytes;
}

/// Any kind of PNG, by libpng itself; `rows` are as the file has them.
inline std::vector<std::byte> png_of(int height, int width, int kind, int bits, const std::vector<std::uint8_t>& rows,
                                     const std::vector<png_color>& palette = {}, int interlace = PNG_INTERLACE_NONE) {
  std::vector<std::byte> bytes;
  png_structp codec = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(codec);
  const auto write = [](png_structp to, png_bytep from, std::size_t count) {
    auto* all = static_cast<std::vector<std::byte>*>(png_get_io_ptr(to));
    all->insert(all->end(), reinterpret_cast<std::byte*>(from), reinterpret_cast<std::byte*>(from) + count);
  };
  png_set_write_fn(codec, &bytes, write, [](png_structp) {});
  png_set_IHDR(codec, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), bits, kind, interlace,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  if (!palette.empty()) png_set_PLTE(codec, info, palette.data(), static_cast<int>(palette.size()));
  png_write_info(codec, info);
  const int passes = png_set_interlace_handling(codec);
  const std::size_t stride = rows.size() / static_cast<std::size_t>(height);
  for (int pass = 0; pass < passes; ++pass) {
    for (int y = 0; y < height; ++y) png_write_row(codec, rows.data() + static_cast<std::size_t>(y) * stride);
  }
  png_write_end(codec, nullptr);
  png_destroy_write_struct(&codec, &info);
  return bytes;
}

inline int largest_difference(std::span<const std::uint8_t> a, std::span<const std::uint8_t> b) {
  if (a.size() != b.size()) return 1000;
  int largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}

}  // namespace qfw::test
