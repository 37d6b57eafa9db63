// dataset_info.json, features.json and the labels of a TFDS folder: three texts, separated by NUL.
#include <fstream>

#include "folder.h"
#include "input.h"

namespace {

struct Folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / ("qfw_fuzz." + std::to_string(getpid()));
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() { std::filesystem::remove_all(path); }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  static const Folder folder;
  std::string_view left = fuzz::text(data, size);
  for (const char* name : {"dataset_info.json", "features.json", "label.labels.txt"}) {
    const std::size_t end = std::min(left.find('\0'), left.size());
    std::ofstream(folder.path / name, std::ios::binary) << left.substr(0, end);
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  fuzz::expect_no_worse_than_an_error([&] {
    const tfds::FolderInfo info = tfds::read_folder({.root = folder.path, .dataset = "imagenet2012"});
    if (info.splits.empty()) std::abort();
    for (const tfds::SplitInfo& split : info.splits) {
      if (split.shards.size() != split.shard_lengths.size() || split.examples() < 0) std::abort();
    }
  });
  return 0;
}
