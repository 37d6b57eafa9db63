#include "plugin/catalog.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "io/log.h"
#include "plugin/absent.h"
#include "plugin/folders.h"
#include "plugin/library.h"
#include "util/nearest.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;

/// A build folder has the libraries of qfw itself beside the plugins.
bool looks_like_a_plugin(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.starts_with("libqfw_") && name.ends_with(".so") && name != "libqfw_core.so" && name != "libqfw_predict.so";
}

/// libqfw_*.so of a folder by name, so that a listing does not depend on the file system.
std::vector<fs::path> candidates(const fs::path& folder, std::error_code& error) {
  std::vector<fs::path> files;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    std::error_code unknown;
    if (looks_like_a_plugin(it->path()) && !fs::is_directory(it->path(), unknown)) files.push_back(it->path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

struct Catalog::Impl {
  std::vector<Folder> folders;
  std::vector<Entry> entries;
  std::vector<std::unique_ptr<PluginLibrary>> libraries;

  void scan(const fs::path& folder, std::set<fs::path>& seen);
  void read(const fs::path& file);
  void mark_duplicates();
  [[noreturn]] void not_found(std::string_view kind, std::string_view name) const;
  std::vector<std::string> names(std::string_view kind) const;
  std::vector<std::string> kinds() const;
};

void Catalog::Impl::scan(const fs::path& asked, std::set<fs::path>& seen) {
  std::error_code error;
  const fs::path folder = fs::canonical(asked, error);
  if (error) {
    folders.push_back({asked, "does not exist"});
    return;
  }
  if (!seen.insert(folder).second) return;
  if (!fs::is_directory(folder, error)) {
    folders.push_back({asked, "is no folder"});
    return;
  }
  const std::string unsafe = unsafe_reason(folder);
  folders.push_back({folder, unsafe});
  if (!unsafe.empty()) {
    logger().warn("plugins: {} is not searched: it {}", folder.string(), unsafe);
    return;
  }
  const std::vector<fs::path> files = candidates(folder, error);
  if (error) {
    folders.back().skipped = fmt::format("cannot be read: {}", error.message());
    logger().warn("plugins: {} is not searched: it {}", folder.string(), folders.back().skipped);
  }
  for (const fs::path& file : files) {
    const fs::path real = fs::canonical(file, error);
    if (error || seen.insert(real).second) read(file);  // a dangling link is reported by read()
  }
}

void Catalog::Impl::read(const fs::path& file) {
  PluginFile found = read_plugin_file(file);
  if (found.problem.empty()) {
    if (const std::string unsafe = unsafe_reason(file); !unsafe.empty()) found.problem = "not trusted: it " + unsafe;
  }
  Entry entry{.kind = {},
              .name = {},
              .description = found.tag.description,
              .version = found.tag.version,
              .licence = found.tag.licence,
              .file = file,
              .usable = found.problem.empty(),
              .reason = found.problem};
  if (found.tag.provides.empty()) {
    if (entry.usable) {
      entry.usable = false;
      entry.reason = "provides nothing";
    }
    entries.push_back(entry);
    return;
  }
  for (const auto& [kind, name] : found.tag.provides) {
    entry.kind = kind;
    entry.name = name;
    entries.push_back(entry);
  }
  if (found.problem.empty()) libraries.push_back(std::make_unique<PluginLibrary>(file, std::move(found.tag)));
}

void Catalog::Impl::mark_duplicates() {
  for (Entry& entry : entries) {
    if (!entry.usable) continue;
    std::vector<Entry*> same;
    for (Entry& other : entries) {
      if (other.usable && other.kind == entry.kind && same_name(other.name, entry.name)) same.push_back(&other);
    }
    if (same.size() < 2) continue;
    for (Entry* one : same) {
      const Entry* rival = one == same[0] ? same[1] : same[0];
      one->usable = false;
      one->reason = fmt::format("{}:{} is provided twice: by {} and by {}; remove one of them", one->kind, one->name,
                                one->file.string(), rival->file.string());
    }
  }
}

std::vector<std::string> Catalog::Impl::names(std::string_view kind) const {
  std::vector<std::string> names;
  for (const Entry& entry : entries) {
    if (entry.usable && same_name(entry.kind, kind)) names.push_back(entry.name);
  }
  return names;
}

std::vector<std::string> Catalog::Impl::kinds() const {
  std::set<std::string> kinds;
  for (const Entry& entry : entries) {
    if (entry.usable) kinds.insert(entry.kind);
  }
  return {kinds.begin(), kinds.end()};
}

void Catalog::Impl::not_found(std::string_view kind, std::string_view name) const {
  std::vector<std::string> searched;
  for (const Folder& folder : folders) {
    searched.push_back(folder.skipped.empty() ? folder.path.string()
                                              : fmt::format("not {}, which {}", folder.path.string(), folder.skipped));
  }
  const std::vector<std::string> known = names(kind), all_kinds = kinds();
  std::string remedy;
  std::string suggestion;
  if (std::string absent = same_name(kind, "backend") ? about_absent_backend(name, known) : ""; !absent.empty()) {
    remedy = std::move(absent);
  } else if (!known.empty()) {
    remedy = fmt::format("there are: {}", fmt::join(known, ", "));
    suggestion = did_you_mean(name, known);
  } else {
    remedy = all_kinds.empty()
                 ? "there are no plugins at all"
                 : fmt::format("there is no {} at all, only plugins of kind {}", kind, fmt::join(all_kinds, ", "));
    suggestion = did_you_mean(kind, all_kinds);
  }
  if (!suggestion.empty()) remedy += "; " + suggestion;
  std::vector<std::string> bad;
  for (const Entry& entry : entries) {
    if (entry.kind.empty()) bad.push_back(fmt::format("{}: {}", entry.file.string(), entry.reason));
  }
  if (!bad.empty()) remedy += fmt::format("; unusable files: {}", fmt::join(bad, "; "));
  fail(Error::Category::usage, "plugin", fmt::format("no {} is called '{}'", kind, name),
       fmt::format("searched {}", fmt::join(searched, ", ")), remedy);
}

Catalog::Catalog(std::span<const fs::path> folders) : impl_(std::make_unique<Impl>()) {
  std::set<fs::path> seen;
  for (const fs::path& folder : folders) impl_->scan(folder, seen);
  impl_->mark_duplicates();
  std::stable_sort(impl_->entries.begin(), impl_->entries.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(a.kind.empty(), std::tie(a.kind, a.name)) < std::tuple(b.kind.empty(), std::tie(b.kind, b.name));
  });
}

Catalog::~Catalog() = default;

const std::vector<Catalog::Entry>& Catalog::entries() const { return impl_->entries; }
const std::vector<Catalog::Folder>& Catalog::folders() const { return impl_->folders; }
std::vector<std::string> Catalog::names(std::string_view kind) const { return impl_->names(kind); }
std::vector<std::string> Catalog::kinds() const { return impl_->kinds(); }

const FactoryBase& Catalog::find(std::string_view kind, std::string_view name) const {
  const Entry* unusable = nullptr;
  for (const Entry& entry : impl_->entries) {
    if (!same_name(entry.kind, kind) || !same_name(entry.name, name)) continue;
    if (!entry.usable) {
      unusable = &entry;
      continue;
    }
    for (const auto& library : impl_->libraries) {
      if (library->file() == entry.file) return library->factory(entry.kind, entry.name);
    }
  }
  if (unusable == nullptr) impl_->not_found(kind, name);
  fail(Error::Category::plugin, "plugin", fmt::format("{} {} cannot be used: {}", kind, unusable->name, unusable->reason),
       unusable->file.string());
}

}  // namespace qfw
