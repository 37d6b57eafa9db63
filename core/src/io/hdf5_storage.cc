#include "qfw/hdf5_storage.h"

#include <hdf5.h>

#include <algorithm>
#include <new>

#include "qfw/error.h"

namespace qfw {
namespace {

static_assert(sizeof(hid_t) == sizeof(std::int64_t));

// Cleaning up at exit, the library trips over files and objects that it could not close.
[[maybe_unused]] const herr_t dont_clean_up = H5dont_atexit();

/// HDF5's virtual file over a storage. The library frees nothing of it but by close().
struct File {
  H5FD_t base;  // the library's part comes first
  Hdf5Storage* storage;
  haddr_t end;  // of what is allocated
};

File& of(H5FD_t* file) { return *reinterpret_cast<File*>(file); }
const File& of(const H5FD_t* file) { return *reinterpret_cast<const File*>(file); }

/// The library never learns of a failure: it could neither go on nor let go.
template <class Action>
herr_t kept(Hdf5Storage& storage, Action action) noexcept {
  try {
    action();
  } catch (...) {
    storage.failed();
  }
  return 0;
}

H5FD_t* open(const char*, unsigned, hid_t access, haddr_t) {
  const auto* storage = static_cast<Hdf5Storage* const*>(H5Pget_driver_info(access));
  return storage ? &(new (std::nothrow) File{{}, *storage, 0})->base : nullptr;
}

herr_t close(H5FD_t* file) {
  delete &of(file);
  return 0;
}

herr_t query(const H5FD_t*, unsigned long* flags) {
  *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA;
  return 0;
}

haddr_t get_end(const H5FD_t* file, H5FD_mem_t) { return of(file).end; }
herr_t set_end(H5FD_t* file, H5FD_mem_t, haddr_t end) {
  of(file).end = end;
  return 0;
}
haddr_t get_size(const H5FD_t* file, H5FD_mem_t) { return of(file).storage->size(); }

herr_t read(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, size_t size, void* to) {
  Hdf5Storage& storage = *of(file).storage;
  const std::span<std::byte> all(static_cast<std::byte*>(to), size);
  const std::size_t there = std::min<std::uint64_t>(size, storage.size() - std::min<std::uint64_t>(storage.size(), offset));
  std::fill(all.begin() + static_cast<std::ptrdiff_t>(there), all.end(), std::byte{0});
  return kept(storage, [&] { storage.read(offset, all.first(there)); });
}

herr_t write(H5FD_t* file, H5FD_mem_t, hid_t, haddr_t offset, size_t size, const void* bytes) {
  Hdf5Storage& storage = *of(file).storage;
  return kept(storage, [&] { storage.write(offset, {static_cast<const std::byte*>(bytes), size}); });
}

herr_t truncate(H5FD_t* file, hid_t, hbool_t) {
  Hdf5Storage& storage = *of(file).storage;
  if (storage.size() == of(file).end) return 0;
  return kept(storage, [&] { storage.resize(of(file).end); });
}

hid_t driver() {
  static const H5FD_class_t description = [] {
    H5FD_class_t it{};
#if H5_VERSION_GE(1, 14, 0)
    it.version = H5FD_CLASS_VERSION;
    it.value = H5_VFD_RESERVED;  // the first that is not a driver of the library's; no file ever holds it
#endif
    it.name = "qfw";
    it.maxaddr = HADDR_MAX;
    it.fc_degree = H5F_CLOSE_SEMI;
    it.fapl_size = sizeof(Hdf5Storage*);
    it.open = open;
    it.close = close;
    it.query = query;
    it.get_eoa = get_end;
    it.set_eoa = set_end;
    it.get_eof = get_size;
    it.read = read;
    it.write = write;
    it.truncate = truncate;
    const H5FD_mem_t map[] = H5FD_FLMAP_DICHOTOMY;
    std::copy(std::begin(map), std::end(map), it.fl_map);
    return it;
  }();
  static const hid_t id = H5FDregister(&description);
  return id;
}

}  // namespace

Hdf5Storage::~Hdf5Storage() = default;

std::int64_t Hdf5Storage::access_list() {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  Hdf5Storage* const self = this;
  if (access < 0 || H5Pset_driver(access, driver(), &self) < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_SEMI) < 0) {
    fail(Error::Category::internal, "hdf5", "the library cannot be set up");
  }
  return access;
}

void Hdf5Storage::check() const {
  if (failure_) std::rethrow_exception(failure_);
}

void Hdf5Storage::failed() noexcept {
  if (!failure_) failure_ = std::current_exception();
}

void Hdf5Memory::read(std::uint64_t offset, std::span<std::byte> to) {
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), to.size(), to.begin());
}

void Hdf5Memory::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  bytes_.resize(std::max<std::size_t>(bytes_.size(), offset + bytes.size()));
  std::copy(bytes.begin(), bytes.end(), bytes_.begin() + static_cast<std::ptrdiff_t>(offset));
}

void Hdf5InFile::read(std::uint64_t offset, std::span<std::byte> to) { file_.read_at(offset, to); }

void Hdf5InFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  file_.write_at(offset, bytes);
  size_ = std::max(size_, offset + bytes.size());
}

void Hdf5InFile::resize(std::uint64_t size) {
  constexpr std::byte zero{0};
  if (size > size_) write(size - 1, std::span(&zero, 1));
}

}  // namespace qfw
