#include "io/zip_archive.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/weights_reader.h"
#include "qfw/error.h"

namespace qfw {

namespace {

std::string text_of(int error) {
  zip_error_t told;
  zip_error_init_with_code(&told, error);
  std::string text = zip_error_strerror(&told);
  zip_error_fini(&told);
  return text;
}

}  // namespace

ZipArchive::ZipArchive(const RegularFile& file)
    : place_(file.path().string()), archive_(nullptr, [](zip_t* archive) { zip_discard(archive); }) {
  int error = 0;
  archive_.reset(zip_open(file.name_of_open().c_str(), ZIP_RDONLY, &error));
  if (!archive_) damaged(fmt::format("the zip archive cannot be read: {}", text_of(error)));
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  if (count > static_cast<zip_int64_t>(2 * most_names)) damaged(fmt::format("the zip archive has {} entries", count));
  std::uint64_t total = 0;
  for (zip_int64_t i = 0; i < count; ++i) {
    zip_stat_t entry;
    if (zip_stat_index(archive_.get(), static_cast<zip_uint64_t>(i), 0, &entry) != 0 ||
        (entry.valid & (ZIP_STAT_NAME | ZIP_STAT_COMP_SIZE)) != (ZIP_STAT_NAME | ZIP_STAT_COMP_SIZE)) {
      damaged(fmt::format("entry {} of the zip archive is damaged", i));
    }
    if (__builtin_add_overflow(total, entry.comp_size, &total) || total > file.size()) {
      damaged("the entries of the zip archive overlap");
    }
    names_.emplace_back(entry.name);
  }
  std::ranges::sort(names_);
  if (const auto twice = std::ranges::adjacent_find(names_); twice != names_.end()) {
    damaged(fmt::format("the zip archive has two entries {}", *twice));
  }
}

bool ZipArchive::has(const std::string& name) const { return std::ranges::binary_search(names_, name); }

void ZipArchive::damaged(const std::string& what) const {
  fail(Error::Category::data, weights_tag, what, place_, "the file is damaged, cut short or hostile: get or make it again");
}

std::vector<std::byte> ZipArchive::read(const std::string& name, std::uint64_t most) const {
  zip_stat_t entry;
  if (zip_stat(archive_.get(), name.c_str(), 0, &entry) != 0) damaged(fmt::format("the zip archive has no entry {}", name));
  if (entry.comp_method != ZIP_CM_STORE || entry.encryption_method != ZIP_EM_NONE || entry.size != entry.comp_size) {
    damaged(fmt::format("{} is compressed or encrypted within the zip archive, which torch.save() never does", name));
  }
  if (entry.size > most) damaged(fmt::format("{} has {} bytes, {} are the most", name, entry.size, most));
  const std::unique_ptr<zip_file_t, int (*)(zip_file_t*)> stream(zip_fopen(archive_.get(), name.c_str(), 0), zip_fclose);
  if (!stream) damaged(fmt::format("{} cannot be opened: {}", name, zip_strerror(archive_.get())));
  std::vector<std::byte> bytes(static_cast<std::size_t>(entry.size));
  for (std::size_t done = 0; done < bytes.size();) {
    const zip_int64_t got = zip_fread(stream.get(), bytes.data() + done, bytes.size() - done);
    if (got <= 0) damaged(fmt::format("{} cannot be read: {}", name, got < 0 ? zip_file_strerror(stream.get()) : "cut short"));
    done += static_cast<std::size_t>(got);
  }
  char beyond = 0;  // the checksum is looked at where the entry ends
  if (zip_fread(stream.get(), &beyond, 1) != 0) {
    damaged(fmt::format("{} is damaged: {}", name, zip_file_strerror(stream.get())));
  }
  return bytes;
}

}  // namespace qfw
