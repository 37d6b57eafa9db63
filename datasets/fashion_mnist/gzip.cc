#include "gzip.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "qfw/error.h"
#include "qfw/regular_file.h"

namespace qfw::fashion_mnist {
namespace {

constexpr const char* tag = "fashion_mnist";
constexpr const char* remedy = "restore the file, for example by apt-get install --reinstall dataset-fashion-mnist";

std::vector<unsigned char> contents(const std::filesystem::path& path) {
  const RegularFile file(
      path, "apt-get install dataset-fashion-mnist, or set dataset.data_dir to the folder of the four *-ubyte.gz files");
  std::vector<unsigned char> bytes(file.size());
  file.read(0, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

}  // namespace

struct GzipReader::Stream : z_stream {};

GzipReader::GzipReader(const std::filesystem::path& path) : path_(path), file_(contents(path)) {
  if (file_.size() < 2 || file_[0] != 0x1f || file_[1] != 0x8b) {
    const std::string found =
        file_.size() < 2 ? fmt::format("{} bytes", file_.size()) : fmt::format("{:02x} {:02x}", file_[0], file_[1]);
    fail(Error::Category::data, tag, fmt::format("not a gzip file: it begins with {}, expected 1f 8b", found), path.string(),
         remedy);
  }
  if (file_.size() > std::numeric_limits<uInt>::max()) {
    fail(Error::Category::data, tag, fmt::format("{} bytes are too many for this data set", file_.size()), path.string(),
         remedy);
  }
  stream_ = new Stream{};
  stream_->next_in = file_.data();
  stream_->avail_in = static_cast<uInt>(file_.size());
  constexpr int gzip_only = 16;
  if (inflateInit2(stream_, MAX_WBITS + gzip_only) != Z_OK) {
    delete stream_;
    fail(Error::Category::data, tag, "zlib cannot start", path.string());
  }
}

GzipReader::~GzipReader() {
  inflateEnd(stream_);
  delete stream_;
}

void GzipReader::damaged(const char* what) const {
  fail(Error::Category::data, tag,
       fmt::format("{} at byte {} of {} (byte {} of the content)", what, file_.size() - stream_->avail_in, file_.size(),
                   inflated_),
       path_.string(), remedy);
}

std::size_t GzipReader::read(std::span<std::byte> to) {
  std::size_t done = 0;
  while (done < to.size() && !ended_) {
    const auto room = static_cast<uInt>(std::min<std::size_t>(to.size() - done, std::numeric_limits<uInt>::max()));
    stream_->next_out = reinterpret_cast<Bytef*>(to.data() + done);
    stream_->avail_out = room;
    const int status = inflate(stream_, Z_NO_FLUSH);
    const std::size_t got = room - stream_->avail_out;
    done += got;
    inflated_ += got;
    if (status == Z_STREAM_END) {
      ended_ = true;
    } else if (status == Z_BUF_ERROR || (status == Z_OK && got == 0 && stream_->avail_in == 0)) {
      damaged("truncated gzip data: the file ends");
    } else if (status != Z_OK) {
      damaged(stream_->msg ? stream_->msg : "damaged gzip data");
    }
  }
  return done;
}

void GzipReader::expect_end() {
  std::byte extra[1];
  const std::uint64_t expected = inflated_;
  if (read(extra) != 0) {
    fail(Error::Category::data, tag, fmt::format("the content goes on after the {} bytes that its header announces", expected),
         path_.string(), remedy);
  }
  if (stream_->avail_in != 0) {
    fail(Error::Category::data, tag,
         fmt::format("{} bytes follow the gzip data, which ends at byte {}", stream_->avail_in,
                     file_.size() - stream_->avail_in),
         path_.string(), remedy);
  }
}

}  // namespace qfw::fashion_mnist
