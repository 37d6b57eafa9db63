#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/error.h"
#include "qfw/registry.h"

namespace qfw {

/// Which plugins there are, and the way to them. Built from the files' bytes: nothing is opened for a listing, and only the
/// library that provides a plugin is opened when that plugin is asked for. Opened libraries are never closed, since threads and
/// objects of theirs may outlive any owner. Thread-safe.
class QFW_API Catalog {
 public:
  struct Entry {
    std::string kind, name;                     ///< empty for a file that does not even say what it provides
    std::string description, version, licence;  ///< of the library
    std::filesystem::path file;
    bool usable = true;
    std::string reason;  ///< why not, for a person
  };
  struct Folder {
    std::filesystem::path path;
    std::string skipped;  ///< why it was not searched; empty: it was
  };

  /// Reads every libqfw_*.so in `folders`, in this order (see plugin_folders); a folder that is missing or that another user
  /// may write is passed over, the latter with a line in the log.
  explicit Catalog(std::span<const std::filesystem::path> folders);
  Catalog(const Catalog&) = delete;
  Catalog& operator=(const Catalog&) = delete;
  ~Catalog();

  /// Sorted by kind and name; files that provide nothing come last.
  const std::vector<Entry>& entries() const;
  const std::vector<Folder>& folders() const;
  std::vector<std::string> names(std::string_view kind) const;  ///< usable ones
  std::vector<std::string> kinds() const;                       ///< that have a usable plugin

  /// Names compare without regard to case. The factory lives as long as the catalog. Throws Error::Category::usage if there is
  /// no such plugin, Error::Category::plugin if there is but its library cannot be used (or two libraries provide it).
  const FactoryBase& find(std::string_view kind, std::string_view name) const;

  template <class Interface>
  const Factory<Interface>& get(std::string_view name) const {
    const auto* factory = dynamic_cast<const Factory<Interface>*>(&find(Interface::kind, name));
    if (factory == nullptr) fail(Error::Category::internal, "plugin", "factory of another type than its kind", name);
    return *factory;
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where plugins are looked for, in this order: `chosen` (--plugin-dir, the recipe), QFW_PLUGIN_PATH (separated by colons),
/// beside the executable, and the library folder of the tree the executable is installed in. Never the current directory.
QFW_API std::vector<std::filesystem::path> plugin_folders(std::span<const std::filesystem::path> chosen = {});

}  // namespace qfw
