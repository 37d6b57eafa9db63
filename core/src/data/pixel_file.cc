#include "data/pixel_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw::pixel_file {

namespace {

constexpr std::uint64_t magic = 0x0031'4c58'5057'4651;  // "QFWPXL1"

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

std::uint32_t checksum(std::span<const std::byte> bytes, std::uint32_t start = 0) {
  if (bytes.empty()) return start;  // zlib takes no data for a request to start anew
  return static_cast<std::uint32_t>(crc32_z(start, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}
std::uint32_t checksum(const PictureHeader& header, std::span<const std::byte> pixels) {
  return checksum(pixels, checksum(std::as_bytes(std::span(&header, 1)).first(offsetof(PictureHeader, sum))));
}

std::size_t padded(std::size_t bytes) { return (bytes + 7) / 8 * 8; }

[[noreturn]] void bad_file(const std::filesystem::path& path, const std::string& what) {
  fail(Error::Category::data, "cache", what, path.string(), "delete the file: it is made again");
}
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
  descriptor_ = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
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

Reader::Reader(const std::filesystem::path& file, std::uint64_t key, std::int64_t count) : path_(file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) system_error(path_, "open it");
  struct stat status {};
  void* memory = MAP_FAILED;
  if (fstat(descriptor, &status) == 0 && status.st_size > 0) {
    memory = mmap(nullptr, static_cast<std::size_t>(status.st_size), PROT_READ, MAP_SHARED, descriptor, 0);
  }
  close(descriptor);
  if (memory == MAP_FAILED) bad_file(path_, "it cannot be mapped");
  memory_ = static_cast<const std::byte*>(memory);
  size_ = static_cast<std::size_t>(status.st_size);

  Header header;
  const std::size_t table_bytes = static_cast<std::size_t>(count) * sizeof(std::uint64_t);
  const char* wrong = nullptr;
  if (size_ >= sizeof header) std::memcpy(&header, memory_, sizeof header);
  if (size_ < sizeof header || header.magic != magic) {
    wrong = "this is no file of cached pixels";
  } else if (header.key != key || header.count != count) {
    wrong = "it was made from another data set";
  } else if (header.table % 8 != 0 || header.table < sizeof header || header.table > size_ ||
             size_ - header.table != table_bytes) {
    wrong = "it is not complete";
  } else if (checksum({memory_ + header.table, table_bytes}) != header.table_sum) {
    wrong = "its table does not fit its checksum";
  }
  if (wrong != nullptr) {
    munmap(memory, size_);
    bad_file(path_, wrong);
  }
  offsets_ = {reinterpret_cast<const std::uint64_t*>(memory_ + header.table), static_cast<std::size_t>(count)};
  checked_ = std::make_unique<std::atomic<bool>[]>(static_cast<std::size_t>(count));
}

Reader::~Reader() { munmap(const_cast<std::byte*>(memory_), size_); }

Picture Reader::get(std::int64_t index) const {
  const auto place = static_cast<std::size_t>(index);
  if (!checked_[place].load(std::memory_order_relaxed)) {
    if (!after_picture({memory_, size_}, offsets_[place]))
      bad_file(path_, fmt::format("picture {} does not fit its checksum", index));
    checked_[place].store(true, std::memory_order_relaxed);
  }
  PictureHeader header;
  std::memcpy(&header, memory_ + offsets_[place], sizeof header);
  return {header.height, header.width, header.label, {memory_ + offsets_[place] + sizeof header, header.bytes()}};
}

}  // namespace qfw::pixel_file
