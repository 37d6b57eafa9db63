#include "code_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <vector>

#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw::cuda {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view suffix = ".qfwcode";
constexpr std::array<char, 8> magic{'Q', 'F', 'W', 'C', 'O', 'D', 'E', '1'};

struct Header {
  std::array<char, 8> magic;
  std::uint64_t bytes, checksum;
};

/// Of the key, too: a file under another name is not what it says.
Header header_of(const std::string& key, std::string_view code) {
  return {magic, code.size(), XXH3_64bits_withSeed(code.data(), code.size(), XXH3_64bits(key.data(), key.size()))};
}

}  // namespace

CodeCache::CodeCache(Options options) : options_(std::move(options)), writable_(!options_.folder.empty()) {
  if (!options_.say) options_.say = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
}

fs::path CodeCache::default_folder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && fs::path(cache).is_absolute()) return fs::path(cache) / "qfw/cubins";
  const char* home = std::getenv("HOME");
  if (home != nullptr && *home != '\0') return fs::path(home) / ".cache/qfw/cubins";
  return {};
}

std::string CodeCache::key_of(std::span<const std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += fmt::format("{}:{}", part.size(), part);
  const XXH128_hash_t hash = XXH3_128bits(all.data(), all.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

fs::path CodeCache::file_of(const std::string& key) const { return options_.folder / fmt::format("{}{}", key, suffix); }

std::optional<std::string> CodeCache::read(const std::string& key) {
  if (options_.folder.empty()) return {};
  const fs::path file = file_of(key);
  std::ifstream in(file, std::ios::binary);
  if (!in) return {};
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.size() >= sizeof(Header)) {
    std::string code = text.substr(sizeof(Header));
    const Header header = header_of(key, code);
    if (std::memcmp(text.data(), &header, sizeof header) == 0) {
      ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);  // it was used; where that cannot be noted it goes sooner
      return code;
    }
  }
  std::error_code ignored;
  fs::remove(file, ignored);
  return {};
}

void CodeCache::write(const std::string& key, std::string_view code) {
  if (!writable_) return;
  std::error_code error;
  fs::create_directories(options_.folder, error);
  if (error) return give_up_writing(error.message());
  try {
    AtomicFile file(file_of(key));
    const Header header = header_of(key, code);
    file.write({reinterpret_cast<const char*>(&header), sizeof header});
    file.write(code);
    file.commit(AtomicFile::Sync::later);  // what a power cut spoils is compiled again
  } catch (const Error& error) {
    give_up_writing(error.what());
  }
}

void CodeCache::give_up_writing(std::string_view why) {
  writable_ = false;
  options_.say(
      fmt::format("cuda: compiled code is not kept in {}: {}; later runs compile it again", options_.folder.string(), why));
}

void CodeCache::trim() {
  if (!writable_) return;
  struct Kept {
    fs::file_time_type used;
    std::uint64_t bytes;
    fs::path file;
  };
  std::vector<Kept> kept;
  std::uint64_t bytes = 0;
  std::error_code error;
  const auto now = fs::file_time_type::clock::now();
  for (fs::directory_iterator entry(options_.folder, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;  // by another process
    const fs::file_time_type used = entry->last_write_time(gone);
    const std::uint64_t size = gone ? 0 : entry->file_size(gone);
    if (gone) continue;
    const std::string name = entry->path().filename().string();
    if (name.ends_with(suffix)) {
      kept.push_back({used, size, entry->path()});
      bytes += size;
    } else if (name.find(suffix) != std::string::npos && now - used > std::chrono::hours(24)) {
      fs::remove(entry->path(), gone);  // a killed process's temporary
    }
  }
  std::ranges::sort(kept, {}, &Kept::used);
  for (const Kept& file : kept) {
    if (bytes <= options_.most_bytes) break;
    if (fs::remove(file.file, error)) bytes -= file.bytes;
  }
}

}  // namespace qfw::cuda
