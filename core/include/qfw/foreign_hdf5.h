#pragma once

#include <hdf5.h>

#include <string>

#include "qfw/confined.h"

/// HDF5 files of strangers. Only for functions that run_confined() runs: what is set up here holds for the whole process.
namespace qfw::foreign_hdf5 {

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
