#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace qfw {

/// $XDG_CACHE_HOME/qfw, or .cache/qfw in the user's home.
std::filesystem::path user_cache_folder();

/// What a file of cached pixels was made from: a data set's settings, and the state of one of its splits.
struct CacheFileName {
  std::uint64_t settings = 0, key = 0;
  std::string split;
  std::string text() const;
};

/// How much lies in a folder of caches that nothing will use again: files of other states of the same split, or of names that
/// older versions gave. Says which and how to be rid of them; empty: none.
std::string stale_files(const std::filesystem::path& folder, const CacheFileName& used);

}  // namespace qfw
