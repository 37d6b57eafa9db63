#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace qfw::image_folder {

/// Files by the extension of their names, in small letters.
using Counts = std::map<std::string, std::int64_t>;

/// The image files of a split, in order, and what lies with them.
struct Listing {
  struct File {
    std::uint32_t folder = 0;  ///< in `folders`
    std::int64_t label = 0;
    std::string name;
  };
  std::vector<std::filesystem::path> folders;
  std::vector<File> files;

  Counts read, unread;              ///< pictures of the forms that are read, and of others
  std::vector<std::string> empty;   ///< folders of classes without a picture that is read
  std::vector<std::string> deeper;  ///< classes whose pictures lie in several folders below, none in their own
  std::vector<std::string> below;   ///< of a flat folder: folders with pictures, which are not read
  Counts beside;                    ///< pictures, archives and files without extension among the folders of classes
  std::string first_beside;

  std::filesystem::path path(std::size_t index) const { return folders[files[index].folder] / files[index].name; }
};

/// The sub-folders of a split in which, or below which, a picture lies: the names of the classes, sorted by their bytes.
std::vector<std::string> class_folders(const std::filesystem::path& split);

/// A converted data set keeps classes that have no picture: their folders, in the order of their labels, one a line. Empty
/// where there is no such file.
inline constexpr const char* class_list_name = ".qfw_classes";
std::vector<std::string> read_class_list(const std::filesystem::path& root);

/// As torchvision's ImageFolder orders them: by class, then by folder below it, then by name; links to folders are followed.
/// A sub-folder with pictures that is no class is an error, a class without a file is none.
Listing list_classes(const std::filesystem::path& split, const std::vector<std::string>& class_names);

/// The image files that lie in the split's folder itself, sorted by name; their labels are not known yet.
Listing list_flat(const std::filesystem::path& split);

/// Names of all that is in a folder, sorted, for messages.
std::vector<std::string> entries_of(const std::filesystem::path& folder);

}  // namespace qfw::image_folder
