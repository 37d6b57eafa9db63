#include <fmt/format.h>

#include "qfw/error.h"
#include "qfw/foreign_hdf5.h"
#include "values.h"

namespace qfw::hdf5_dataset {

namespace {

constexpr std::size_t most_groups = 1000;

/// In the root; a link to a group counts as one.
std::vector<std::string> groups_of(hid_t file, const std::string& place) {
  std::vector<std::string> names;
  const auto add = [](hid_t parent, const char* name, const H5L_info_t* link, void* list) -> herr_t {
    const Handle object(H5Oopen(parent, name, H5P_DEFAULT), H5Oclose);
    if (!object) return link->type == H5L_TYPE_HARD ? -1 : 0;  // a link may lead nowhere, an object must be there
    auto& known = *static_cast<std::vector<std::string>*>(list);
    if (H5Iget_type(object) == H5I_GROUP) known.emplace_back(name);
    return known.size() > most_groups;
  };
  if (H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, add, &names) < 0) {
    unfit("what is in the file cannot be listed, it is damaged", place);
  }
  if (names.size() > most_groups) unfit(fmt::format("it has more than {} groups", most_groups), place);
  if (const std::string link = foreign_hdf5::take_refused_link(); !link.empty()) {
    fail(Error::Category::data, tag, fmt::format("there is a link to another file, {}", link), place,
         "copy what it stands for into this file");
  }
  return names;
}

SplitLayout split_of(const RegularFile& file, hid_t group, const std::string& name, const std::string& place) {
  SplitLayout split;
  split.name = name;
  split.labels = whole_numbers(group, "labels", place + "/labels");
  if (has(group, "images", place)) {
    split.pictures = array_layout(file, group, "images", place + "/images");
  } else if (has(group, "bytes", place)) {
    split.encoded = true;
    split.pictures = array_layout(file, group, "bytes", place + "/bytes");
    split.offsets = whole_numbers(group, "offsets", place + "/offsets");
  } else {
    unfit("there are neither images nor bytes", place);
  }
  if (has(group, "names", place)) split.names = strings(group, "names", place + "/names");
  return split;
}

}  // namespace

FileLayout explore(const RegularFile& file) {
  const std::string place = file.path().string();
  const Handle opened(foreign_hdf5::open(file, tag), H5Fclose);
  const Handle properties(H5Fget_create_plist(opened), H5Pclose);
  hsize_t user_block = 0;
  if (H5Pget_userblock(properties, &user_block) < 0 || user_block != 0) unfit("the file begins with a user block", place);
  FileLayout layout;
  for (const std::string& name : groups_of(opened, place)) {
    const Handle group(H5Gopen2(opened, name.c_str(), H5P_DEFAULT), H5Gclose);
    const std::string here = fmt::format("{}: {}", place, name);
    if (!group) unfit("the group cannot be opened, it is damaged", here);
    if (has(group, "labels", here)) layout.splits.push_back(split_of(file, group, name, here));
  }
  if (layout.splits.empty()) unfit("no group has labels", place);
  if (has(opened, "class_names", place)) {
    layout.class_names = strings(opened, "class_names", place + "/class_names");
    if (layout.class_names.empty()) unfit("class_names is empty", place);
  }
  layout.conversion = text_attribute(opened, conversion_attribute, place);
  return layout;
}

}  // namespace qfw::hdf5_dataset
