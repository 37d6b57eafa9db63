#include "data/pixel_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "io/file_lock.h"
#include "io/log.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "qfw/random.h"
#include "util/parallel.h"

namespace qfw {

namespace {

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

}  // namespace

std::filesystem::path user_cache_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return std::filesystem::path(cache) / "qfw";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".cache" / "qfw";
  fail(Error::Category::usage, "cache", "neither XDG_CACHE_HOME nor HOME is set", {}, "set dataset.cache_dir");
}

PixelCache::PixelCache(std::unique_ptr<Dataset> pixels, Settings settings, CorruptExamples& corrupt)
    : DatasetView(std::move(pixels)), settings_(std::move(settings)), corrupt_(corrupt) {
  if (settings_.folder.empty()) settings_.folder = user_cache_folder();
}

/// Of the settings and of some examples spread over the split, whose bytes a changed data set will hardly repeat.
std::uint64_t PixelCache::key(std::string_view split) const {
  const std::int64_t count = inner().size(split);
  std::string text = fmt::format("{}\n{}\n{}\n", settings_.identity, split, count);
  constexpr std::int64_t looks = 32;
  for (std::int64_t i = 0; i < std::min(looks, count); ++i) {
    const std::int64_t index = count <= looks ? i : (count - 1) * i / (looks - 1);
    try {
      const Example example = inner().get(split, index);
      text += fmt::format("{} {} {:x}\n", example.label, example.shape.str(),
                          hash_of({reinterpret_cast<const char*>(example.bytes.data()), example.bytes.size()}));
    } catch (const Error& error) {
      text += error.what();
    }
  }
  return hash_of(text);
}

std::filesystem::path PixelCache::file(std::string_view split) const {
  return settings_.folder / fmt::format("{:016x}_{}.pixels", key(split), split);
}

void PixelCache::prepare(std::string_view split) {
  if (files_.contains(split)) return;
  std::error_code error;
  std::filesystem::create_directories(settings_.folder, error);
  const std::uint64_t key = this->key(split);
  const std::filesystem::path path = settings_.folder / fmt::format("{:016x}_{}.pixels", key, split);
  if (!std::filesystem::exists(path)) {
    const FileLock lock(path.string() + ".lock");
    if (!std::filesystem::exists(path)) make(split, path);
  }
  files_.try_emplace(std::string(split), path, key, inner().size(split));
}

void PixelCache::make(std::string_view split, const std::filesystem::path& file) {
  const std::filesystem::path partial = file.string() + ".partial";
  const std::int64_t count = inner().size(split);
  {
    pixel_file::Writer writer(partial, key(split), count);
    logger().info("decoding {} images of {} into {}{}", count, split, file.string(),
                  writer.written() > 0 ? fmt::format(", {} are there", writer.written()) : "");
    Progress progress("decoding");
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
  const pixel_file::Picture picture = found->second.get(index);
  if (picture.height == 0) {
    fail(Error::Category::data, "cache", "it could not be read when the cache was made", place(split, index));
  }
  return {.encoding = Example::Encoding::pixels,
          .shape = {picture.height, picture.width, 3},
          .bytes = picture.pixels,
          .label = picture.label};
}

}  // namespace qfw
