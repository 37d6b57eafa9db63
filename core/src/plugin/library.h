#pragma once

#include <filesystem>
#include <memory>
#include <mutex>
#include <vector>

#include "plugin/tag.h"
#include "qfw/registry.h"

namespace qfw {

/// A plugin file whose bytes were found good, and what it registered once it was opened.
class PluginLibrary {
 public:
  PluginLibrary(std::filesystem::path file, PluginTag tag) : file_(std::move(file)), tag_(std::move(tag)) {}

  const std::filesystem::path& file() const { return file_; }

  /// Opens the library on the first call. All or nothing: what it registered counts only if its manifest is right, its register
  /// function returned, and the result is what the tag promised. Throws Error::Category::plugin otherwise, on every call again.
  const FactoryBase& factory(std::string_view kind, std::string_view name);

 private:
  std::vector<std::unique_ptr<FactoryBase>> open() const;

  std::filesystem::path file_;
  PluginTag tag_;
  std::mutex mutex_;  ///< of factories_
  std::vector<std::unique_ptr<FactoryBase>> factories_;
};

}  // namespace qfw
