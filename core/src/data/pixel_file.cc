#include "data/pixel_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw::pixel_file {

namespace {

constexpr std::uint64_t magic = 0x0032'4c58'5057'4651;  // "QFWPXL2"

struct Header {
  std::uint64_t magic = pixel_file::magic, key = 0;
  std::int64_t count = 0;
  std::uint64_t table = 0;  ///< offset; 0: not finished
  std::uint32_t table_sum = 0, reserved = 0;
};
struct PictureHeader {
  std::int32_t height = 0, width = 0;
  std::int64_t label = 0;
  std::uint32_t sum = 0, reserved = 0;  ///< the sum covers the fields before it and the pixels

  std::size_t bytes() const { return std::size_t{3} * static_cast<std::size_t>(height) * static_cast<std::size_t>(width); }
};

/// XXH3, at the speed of memory: every picture is compared each time it is read.
std::uint32_t checksum(std::span<const std::byte> bytes, std::uint64_t seed = 0) {
  return static_cast<std::uint32_t>(XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed));
}
std::uint32_t checksum(const PictureHeader& header, std::span<const std::byte> pixels) {
  return checksum(pixels, checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(PictureHeader, sum))));
}

std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

[[noreturn]] void system_error(const std::filesystem::path& path, const char* verb) {
  fail(Error::Category::data, "cache", fmt::format("cannot {}: {}", verb, std::strerror(errno)), path.string(),
       "set dataset.cache_dir to a folder with room, or dataset.cache = none");
}

/// Where the next picture begins, if a whole one begins here.
std::optional<std::uint64_t> after_picture(std::span<const std::byte> file, std::uint64_t offset) {
  PictureHeader header;
  if (offset > file.size() || file.size() - offset < sizeof header) return std::nullopt;
  std::memcpy(&header, file.data() + offset, sizeof header);
  if (header.height < 0 || header.width < 0) return std::nullopt;
  const std::uint64_t begin = offset + sizeof header;
  if (file.size() - begin < header.bytes()) return std::nullopt;
  if (checksum(header, file.subspan(begin, header.bytes())) != header.sum) return std::nullopt;
  return begin + padded(header.bytes());
}

}  // namespace

Writer::Writer(const std::filesystem::path& file, std::uint64_t key, std::int64_t count) : path_(file), count_(count) {
  descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0666);
  if (descriptor_ < 0) system_error(path_, "create it");
  resume(key, count);
}

Writer::~Writer() {
  if (descriptor_ >= 0) close(descriptor_);
}

void Writer::resume(std::uint64_t key, std::int64_t count) {
  const Header expected{.key = key, .count = count};
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) system_error(path_, "examine it");
  const auto size = static_cast<std::size_t>(status.st_size);
  end_ = sizeof(Header);
  if (size > sizeof(Header)) {
    void* memory = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor_, 0);
    if (memory == MAP_FAILED) system_error(path_, "map it");
    const std::span file(static_cast<const std::byte*>(memory), size);
    Header found;
    std::memcpy(&found, memory, sizeof found);
    if (found.magic == magic && found.key == key && found.count == count) {
      for (auto next = after_picture(file, end_); next && written() < count; next = after_picture(file, end_)) {
        offsets_.push_back(end_);
        end_ = *next;
      }
    }
    munmap(memory, size);
  }
  if (ftruncate(descriptor_, static_cast<off_t>(end_)) != 0 || lseek(descriptor_, 0, SEEK_SET) != 0)
    system_error(path_, "write it");
  write(&expected, sizeof expected);
  if (lseek(descriptor_, static_cast<off_t>(end_), SEEK_SET) < 0) system_error(path_, "write it");
}

void Writer::write(const void* data, std::size_t bytes) {
  for (const char* next = static_cast<const char*>(data); bytes > 0;) {
    const ssize_t done = ::write(descriptor_, next, bytes);
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) system_error(path_, "write it");
    next += done;
    bytes -= static_cast<std::size_t>(done);
  }
}

void Writer::append(const Picture& picture) {
  PictureHeader header{.height = picture.height, .width = picture.width, .label = picture.label};
  if (header.bytes() != picture.pixels.size()) fail(Error::Category::internal, "cache", "pixels that do not fit their picture");
  header.sum = checksum(header, picture.pixels);
  constexpr std::byte padding[8] = {};
  write(&header, sizeof header);
  write(picture.pixels.data(), picture.pixels.size());
  write(padding, padded(header.bytes()) - header.bytes());
  offsets_.push_back(end_);
  end_ += sizeof header + padded(header.bytes());
}

void Writer::finish(const std::filesystem::path& name) {
  if (written() != count_) fail(Error::Category::internal, "cache", fmt::format("{} pictures of {}", written(), count_));
  const auto table = std::as_bytes(std::span(offsets_));
  write(table.data(), table.size());
  if (fsync(descriptor_) != 0) system_error(path_, "write it");
  const std::uint32_t sum = checksum(table);
  if (pwrite(descriptor_, &end_, sizeof end_, offsetof(Header, table)) != sizeof end_ ||
      pwrite(descriptor_, &sum, sizeof sum, offsetof(Header, table_sum)) != sizeof sum || fsync(descriptor_) != 0 ||
      close(std::exchange(descriptor_, -1)) != 0 || std::rename(path_.c_str(), name.c_str()) != 0) {
    system_error(path_, "write it");
  }
  sync_folder(name.parent_path());
}

Reader::Reader(const std::filesystem::path& file, std::uint64_t key, std::int64_t count)
    : path_(file), descriptor_(open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {  // a pipe must not block
  if (descriptor_ < 0) system_error(path_, "open it");
  if (const std::string wrong = problem(key, count); !wrong.empty()) {
    close(descriptor_);
    throw Damaged(Error::Category::data, fmt::format("cache: {}: {}", path_.string(), wrong));
  }
}

/// What is wrong with the file as a whole. Takes its table.
std::string Reader::problem(std::uint64_t key, std::int64_t count) {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) return "it cannot be examined";
  if (!S_ISREG(status.st_mode)) return "it is no file";
  size_ = static_cast<std::size_t>(status.st_size);
  Header header;
  if (!read(&header, sizeof header, 0) || header.magic != magic) return "this is no file of cached pixels";
  if (header.key != key || header.count != count) return "it was made from another data set";
  const std::size_t table_bytes = static_cast<std::size_t>(count) * sizeof(std::uint64_t);
  if (header.table % 8 != 0 || header.table < sizeof header || header.table > size_ || size_ - header.table != table_bytes)
    return "it is not complete";
  offsets_.resize(static_cast<std::size_t>(count));
  if (!read(offsets_.data(), table_bytes, header.table)) return "its table cannot be read";
  if (checksum(std::as_bytes(std::span(offsets_))) != header.table_sum) return "its table does not fit its checksum";
  return {};
}

Reader::~Reader() { close(descriptor_); }

bool Reader::read(void* to, std::size_t bytes, std::uint64_t offset) const {
  for (char* next = static_cast<char*>(to); bytes > 0;) {
    const ssize_t got = pread(descriptor_, next, bytes, static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    next += got;
    offset += static_cast<std::uint64_t>(got);
    bytes -= static_cast<std::size_t>(got);
  }
  return true;
}

std::optional<Picture> Reader::get(std::int64_t index) const {
  const auto place = static_cast<std::size_t>(index);
  PictureHeader header;
  if (!read(&header, sizeof header, offsets_[place]) || header.height < 0 || header.width < 0) return std::nullopt;
  const std::uint64_t begin = offsets_[place] + sizeof header;
  if (begin > size_ || header.bytes() > size_ - begin) return std::nullopt;
  const auto memory = std::make_shared_for_overwrite<std::byte[]>(header.bytes());
  const std::span<const std::byte> pixels(memory.get(), header.bytes());
  if (!read(memory.get(), header.bytes(), begin)) return std::nullopt;
  if (checksum(header, pixels) != header.sum) return std::nullopt;
  return Picture{header.height, header.width, header.label, pixels, memory};
}

}  // namespace qfw::pixel_file
