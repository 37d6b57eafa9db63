#pragma once

#include "support.h"

namespace qfw::test {

/// A folder to put pictures into, and the data set that it is.
class ImageFolders : public testing::Test {
 protected:
  static constexpr const char* library = "dataset_image_folder";

  void add(const std::string& path, int number = 0) {
    store(root() / path, encoded_item(number, 0, "", Example::Encoding::jpeg).bytes);
  }
  std::unique_ptr<Dataset> open(const std::string& labels = "", const std::string& labels_are = "auto") const {
    Settings settings{{"data_dir", root().string()}, {"validation_labels_are", labels_are}};
    if (!labels.empty()) settings.emplace_back("validation_labels", (folder_.path() / labels).string());
    return make_plugin<Dataset>(library, "image_folder", settings);
  }
  std::vector<std::string> listed(const Dataset& dataset, const std::string& split) const {
    std::vector<std::string> found;
    for (std::int64_t i = 0; i < dataset.size(split); ++i) {
      found.push_back(std::to_string(dataset.get(split, i).label) + " " +
                      fs::path(dataset.place(split, i)).lexically_relative(root()).string());
    }
    return found;
  }
  template <class Action>
  static std::string data_error(Action action) {
    return message_of(Error::Category::data, action);
  }
  fs::path root() const { return folder_.path() / "root"; }

  TemporaryFolder folder_;
};

}  // namespace qfw::test
