#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace qfw::image_folder {

/// The image files of a split, in order.
struct Listing {
  struct File {
    std::uint32_t folder = 0;  ///< in `folders`
    std::int64_t label = 0;
    std::string name;
  };
  std::vector<std::filesystem::path> folders;
  std::vector<File> files;

  std::filesystem::path path(std::size_t index) const { return folders[files[index].folder] / files[index].name; }
};

/// The sub-folders of a split, sorted: the names of the classes.
std::vector<std::string> class_folders(const std::filesystem::path& split);

/// As torchvision's ImageFolder orders them: by class, then by folder below it, then by name; links to folders are followed.
/// A sub-folder that is no class is an error, a class without a file is none.
Listing list_classes(const std::filesystem::path& split, const std::vector<std::string>& class_names);

/// The image files that lie in the split's folder itself, sorted by name; their labels are not known yet.
Listing list_flat(const std::filesystem::path& split);

}  // namespace qfw::image_folder
