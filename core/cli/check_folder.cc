#include "check_folder.h"

#include <system_error>
#include <utility>

#include "qfw/atomic_file.h"
#include "qfw/error.h"

namespace qfw {

namespace fs = std::filesystem;

CheckFolder::CheckFolder(const fs::path& model, IsOurs is_ours)
    : path_(model.parent_path() / (model.stem().string() + "_check")),
      model_name_("model" + model.extension().string()),
      is_ours_(std::move(is_ours)),
      folder_(path_) {
  refuse_foreign();
}

void CheckFolder::refuse_foreign() const {
  std::error_code error;
  if (!fs::exists(fs::symlink_status(path_, error))) return;
  if (const fs::path theirs = foreign(); !theirs.empty()) {
    fail(Error::Category::usage, "export", "what is there would be replaced, and holds something that --check does not write",
         theirs.string(), "move it away");
  }
}

/// Something that an earlier --check did not write; empty: there is none.
fs::path CheckFolder::foreign() const {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(path_, error)) || !fs::is_regular_file(path_ / model_name_, error)) return path_;
  if (!is_ours_(path_ / model_name_)) return path_ / model_name_;
  for (const auto& entry : fs::directory_iterator(path_)) {
    if (entry.path().filename() == model_name_) continue;
    if (!entry.is_directory() || !entry.path().filename().string().starts_with("test_data_set_")) return entry.path();
    for (const auto& part : fs::directory_iterator(entry.path())) {
      const std::string name = part.path().filename().string();
      if (!part.is_regular_file() || (name != "input_0.pb" && name != "output_0.pb")) return part.path();
    }
  }
  return {};
}

fs::path CheckFolder::begin() const {
  std::error_code error;
  fs::create_directory(folder_.path(), error);
  if (error) fail_writing(path_, error.value());
  return folder_.path();
}

void CheckFolder::finish(const fs::path& model) {
  std::error_code error;
  fs::copy_file(model, folder_.path() / model_name_, error);
  if (error) fail_writing(path_ / model_name_, error.value());
  refuse_foreign();  // minutes may have passed
  fs::remove_all(path_, error);
  folder_.finish();
}

}  // namespace qfw
