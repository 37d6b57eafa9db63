#pragma once

#include <hdf5.h>

#include <string>
#include <utility>

#include "qfw/confined.h"

/// HDF5 files of strangers. Only for functions that run_confined() runs: what is set up here holds for the whole process.
namespace qfw::foreign_hdf5 {

/// Owns what the HDF5 library calls by a number; for child processes only (qfw/confined.h), which leave the library as it is:
/// what cannot be closed harms nobody.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) close_(id_);
  }
  explicit operator bool() const { return id_ >= 0; }
  operator hid_t() const { return id_; }
  herr_t close() { return close_(std::exchange(id_, -1)); }

 private:
  hid_t id_;
  Close close_;
};

/// Opens it to be read by the library, and nothing else with it: links to other files and filters from plugins are refused.
/// Throws Error::Category::data that tells "not HDF5" and "damaged" apart; H5Fclose closes.
QFW_API hid_t open(const RegularFile& file, const std::string& tag);
/// The link to another file that was met since the last call, and refused: "elsewhere.h5:/images"; else empty.
QFW_API std::string take_refused_link();
/// What speaks against reading a data set: its values lie elsewhere, or were never written. Empty if nothing does.
QFW_API std::string objection_to(hid_t data_set);
/// "big-endian 64-bit float", "variable-length string", "compound": for messages.
QFW_API std::string describe_type(hid_t type);

}  // namespace qfw::foreign_hdf5
