#include "data/pixel_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "data/cache_folder.h"
#include "io/file_lock.h"
#include "io/log.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "qfw/random.h"
#include "util/counted.h"
#include "util/parallel.h"

namespace qfw {

namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Held by the process that makes a file; the system drops it with the process.
class FileLock {
 public:
  explicit FileLock(const std::filesystem::path& file) : descriptor_(open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) {
      fail(Error::Category::data, "cache", fmt::format("cannot create the lock: {}", std::strerror(errno)), file.string(),
           "set dataset.cache_dir to a folder that can be written, or dataset.cache = none");
    }
    if (lock_file(descriptor_, file, Waiting::no)) return;
    logger().info("waiting for the process that makes {}", file.string());
    lock_file(descriptor_, file, Waiting::yes);
  }
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock() { close(descriptor_); }

 private:
  int descriptor_;
};

constexpr std::int64_t examples_at_a_time = 256;

/// For data sets that do not tell whether their files changed.
std::uint64_t digest_of_all(const Dataset& source, std::string_view split, int workers) {
  const std::int64_t count = source.size(split);
  logger().info("the data set does not tell whether its files changed: to find out, {} of {} read",
                counted(count, "example is", "examples are"), split);
  std::vector<std::uint64_t> digests(static_cast<std::size_t>(count));
  parallel_for(workers, count, [&](std::int64_t i) {
    std::uint64_t& digest = digests[static_cast<std::size_t>(i)];
    try {
      const Example example = source.get(split, i);
      digest = hash_of(fmt::format("{} {} {:x}", example.label, example.shape.str(), hash_of(as_text(example.bytes))));
    } catch (const Error& error) {
      if (error.category() != Error::Category::data) throw;
      digest = hash_of(error.what());
    }
  });
  return hash_of(as_text(std::as_bytes(std::span(digests))));
}

}  // namespace

PixelCache::PixelCache(std::unique_ptr<Dataset> pixels, Settings settings, CorruptExamples& corrupt)
    : DatasetView(std::move(pixels)), settings_(std::move(settings)), corrupt_(corrupt) {
  if (settings_.folder.empty()) settings_.folder = user_cache_folder();
}

std::uint64_t PixelCache::key(std::string_view split) const {
  const Identity identity = inner().identity(split);
  const std::uint64_t storage = identity.storage ? *identity.storage : digest_of_all(source(), split, settings_.workers);
  return hash_of(
      fmt::format("{}\n{}\n{}\n{:x} {:x}", settings_.identity, split, inner().size(split), identity.content, storage));
}

void PixelCache::prepare(std::string_view split) {
  if (files_.contains(split)) return;
  std::error_code error;
  std::filesystem::create_directories(settings_.folder, error);
  const std::uint64_t key = this->key(split);
  const CacheFileName name{.settings = hash_of(settings_.identity), .key = key, .split = std::string(split)};
  const std::filesystem::path path = settings_.folder / name.text();
  const std::int64_t count = inner().size(split);
  make_if_missing(split, path, key);
  try {
    files_.try_emplace(std::string(split), path, key, count);
  } catch (const pixel_file::Damaged& damage) {
    logger().warn("{}; it is made anew", damage.what());
    std::filesystem::remove(path, error);
    make_if_missing(split, path, key);
    files_.try_emplace(std::string(split), path, key, count);
  }
  if (const std::string stale = stale_files(settings_.folder, name); !stale.empty()) logger().info("{}", stale);
}

void PixelCache::make_if_missing(std::string_view split, const std::filesystem::path& file, std::uint64_t key) {
  if (std::filesystem::exists(file)) return;
  const FileLock lock(file.string() + ".lock");
  if (!std::filesystem::exists(file)) make(split, file, key);
}

void PixelCache::make(std::string_view split, const std::filesystem::path& file, std::uint64_t key) {
  const std::filesystem::path partial = file.string() + ".partial";
  const std::int64_t count = inner().size(split);
  {
    pixel_file::Writer writer(partial, key, count);
    logger().info("decoding {} of {} into {}{}", counted(count, "image"), split, file.string(),
                  writer.written() > 0 ? fmt::format(", {} are there", writer.written()) : "");
    Progress progress("decoding");
    progress.begin({.step = writer.written(), .total_steps = count});
    while (writer.written() < count) {
      const std::int64_t first = writer.written(), some = std::min(examples_at_a_time, count - first);
      std::vector<Example> examples(static_cast<std::size_t>(some));
      parallel_for(settings_.workers, some, [&](std::int64_t i) {
        try {
          examples[static_cast<std::size_t>(i)] = inner().get(split, first + i);
        } catch (const Error& error) {
          if (error.category() != Error::Category::data) throw;
          corrupt_.met(split, first + i, error);
        }
      });
      for (const Example& example : examples) {
        const bool readable = example.shape.rank() == 3;
        writer.append({.height = readable ? static_cast<std::int32_t>(example.shape[0]) : 0,
                       .width = readable ? static_cast<std::int32_t>(example.shape[1]) : 0,
                       .label = example.label,
                       .pixels = example.bytes});
      }
      progress.update({.step = writer.written(), .total_steps = count, .corrupt = corrupt_.count()});
    }
    writer.finish(file);
  }
}

Example PixelCache::get(std::string_view split, std::int64_t index) const {
  const auto found = files_.find(split);
  if (found == files_.end()) fail(Error::Category::internal, "cache", fmt::format("split {} was not prepared", split));
  if (index < 0 || index >= size(split)) {
    fail(Error::Category::data, "cache", fmt::format("no example {}: split {} has {}", index, split, size(split)));
  }
  const auto picture = found->second.reader.get(index);
  if (!picture) {
    std::call_once(found->second.damage_told, [&] {
      logger().warn(
          "{} is damaged: picture {} does not fit its checksum. Such pictures are read from the data set, and the next start "
          "makes the file anew",
          found->second.path.string(), index);
      std::error_code ignored;
      std::filesystem::remove(found->second.path, ignored);
    });
  }
  if (!picture || picture->height == 0) return inner().get(split, index);
  return {.encoding = Example::Encoding::pixels,
          .shape = {picture->height, picture->width, 3},
          .bytes = picture->pixels,
          .label = picture->label,
          .owner = picture->memory};
}

}  // namespace qfw
