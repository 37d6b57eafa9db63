#include "dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>

#include "example.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "qfw/random.h"

namespace qfw::tfds {

namespace {

namespace fs = std::filesystem;

constexpr std::int64_t unlabelled = -1;  ///< as TFDS stores it, and Example

fs::path with_home(const std::string& path) {
  const char* home = std::getenv("HOME");
  return home != nullptr && (path == "~" || path.starts_with("~/")) ? fs::path(home + path.substr(1)) : fs::path(path);
}

/// Empty where there is no home: then every start scans.
fs::path default_index_folder() {
  if (const char* cache = std::getenv("XDG_CACHE_HOME"); cache != nullptr && *cache == '/')
    return fs::path(cache) / "qfw" / "index";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return fs::path(home) / ".cache" / "qfw" / "index";
  return {};
}

/// Shards stay open, so that reading costs one call. ImageNet has more of them than the usual limit of files allows.
void allow_open_files(std::size_t shards) {
  constexpr rlim_t others = 256;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= shards + others) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, shards + others);
  setrlimit(RLIMIT_NOFILE, &limit);  // where that fails, opening a file says so
}

}  // namespace

Tfds::Tfds(const Options& options)
    : info_(read_folder({.root = with_home(options.data_dir),
                         .dataset = options.dataset,
                         .config = options.config,
                         .version = options.version,
                         .image = options.image,
                         .label = options.label})),
      index_folder_(options.index_dir.empty() ? default_index_folder() : with_home(options.index_dir)),
      verify_(options.verify_crc) {
  std::size_t shards = 0;
  for (const SplitInfo& info : info_.splits) {
    Split& split = splits_.emplace_back();
    split.info = &info;
    for (const std::int64_t length : info.shard_lengths) {
      split.first.push_back(split.examples);
      split.examples += length;
      split.shards.emplace_back();
    }
    shards += split.shards.size();
  }
  allow_open_files(shards);
}

std::vector<std::string> Tfds::splits() const {
  std::vector<std::string> names;
  for (const SplitInfo& split : info_.splits) names.push_back(split.name);
  return names;
}

Tfds::Split& Tfds::find(std::string_view name) const {
  for (Split& split : splits_) {
    if (split.info->name == name) return split;
  }
  fail(Error::Category::usage, "tfds", fmt::format("there is no split {}", name), info_.path.string(),
       fmt::format("the splits are {}", fmt::join(splits(), ", ")));
}

std::int64_t Tfds::size(std::string_view name) const {
  const Split& split = find(name);
  for (const fs::path& shard : split.info->shards) {  // before any work starts
    std::error_code error;
    if (!fs::exists(shard, error)) {
      const auto there =
          std::ranges::count_if(split.info->shards, [&](const fs::path& path) { return fs::exists(path, error); });
      fail(Error::Category::data, "tfds",
           fmt::format("a shard of split {} is missing: dataset_info.json names {}, {} of which are there", name,
                       split.info->shards.size(), there),
           shard.string(), "fetch it again");
    }
  }
  return split.examples;
}

const Shard& Tfds::opened(Split& split, std::size_t number) const {
  auto& [mutex, ready, shard, fault] = split.shards[number];
  if (!ready.load(std::memory_order_acquire)) {
    const std::lock_guard lock(mutex);
    if (!ready.load(std::memory_order_relaxed)) {
      try {
        shard.emplace(split.info->shards[number], split.info->shard_lengths[number], index_folder_);
      } catch (const Error& error) {
        fault = error.what();  // kept, so that skipping its records does not open it for each of them
      }
      ready.store(true, std::memory_order_release);
    }
  }
  if (!shard) throw Error(Error::Category::data, fault);
  return *shard;
}

Tfds::Place Tfds::locate(std::string_view name, std::int64_t index) const {
  Split& split = find(name);
  if (index < 0 || index >= split.examples) {
    fail(Error::Category::data, "tfds", fmt::format("no example {}: split {} has {}", index, name, split.examples),
         info_.path.string());
  }
  const auto after = std::ranges::upper_bound(split.first, index);  // empty shards begin where their successor does
  const auto shard = static_cast<std::size_t>(after - split.first.begin()) - 1;
  return {&opened(split, shard), index - split.first[shard]};
}

std::string Tfds::place(std::string_view split, std::int64_t index) const {
  const Place place = locate(split, index);
  return place.shard->place(place.record);
}

std::vector<std::string> Tfds::notes(std::string_view) const {
  return info_.note.empty() ? std::vector<std::string>() : std::vector{info_.note};
}

Dataset::Identity Tfds::identity(std::string_view name) const {
  const Split& split = find(name);
  std::string content = fmt::format("{} {} {}\n", name, info_.image_key, info_.label_key), storage;
  for (const std::string& name_of_class : info_.class_names) content += name_of_class + '\n';
  for (std::size_t i = 0; i < split.shards.size(); ++i) {
    const RegularFile shard(split.info->shards[i]);
    content += fmt::format("{} {} {}\n", shard.path().filename().string(), split.info->shard_lengths[i], shard.size());
    storage += fmt::format("{:x}\n", shard.identity());
  }
  return {.content = hash_of(content), .storage = hash_of(storage)};
}

Example Tfds::get(std::string_view split, std::int64_t index) const {
  const Place place = locate(split, index);
  const auto [owner, record] = place.shard->record(place.record, verify_);
  const auto bad = [&](const std::string& what) {
    fail(Error::Category::data, "tfds", what, place.shard->place(place.record),
         "make this shard again, or set dataset.on_corrupt = skip");
  };
  Example example;
  try {
    const auto image = find_feature(record, info_.image_key), label = find_feature(record, info_.label_key);
    if (!image || !image->bytes) bad(fmt::format("the record has no bytes named {}", info_.image_key));
    if (!label || !label->integer) bad(fmt::format("the record has no integer named {}", info_.label_key));
    example.bytes = *image->bytes;
    example.label = *label->integer;
    if (!info_.name_key.empty()) {
      const auto name = find_feature(record, info_.name_key);
      if (name && name->bytes) example.name = {reinterpret_cast<const char*>(name->bytes->data()), name->bytes->size()};
    }
  } catch (const std::string& what) {
    bad("the record is no tf.train.Example: " + what);
  }
  example.owner = owner;
  if (example.label < unlabelled || example.label >= classes())
    bad(fmt::format("the record has label {} of {} classes", example.label, classes()));
  example.encoding = image::encoding_of(example.bytes).value_or(Example::Encoding::jpeg);
  return example;
}

}  // namespace qfw::tfds
