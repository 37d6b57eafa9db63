#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "layout.h"
#include "qfw/foreign_hdf5.h"

/// What the library reads for us, in the child process. Each throws Error::Category::data that names `place`.
namespace qfw::hdf5_dataset {

using foreign_hdf5::Handle;

[[noreturn]] void unfit(const std::string& what, const std::string& place);

bool has(hid_t group, const char* name, const std::string& place);
Handle open_data(hid_t group, const char* name, const std::string& place);
struct Filter {
  H5Z_filter_t number;
  std::string name;  ///< as the file has it
};
/// The filter at this place among those of a data set.
Filter filter_at(hid_t properties, int place);
std::vector<std::uint64_t> extents_of(hid_t data, const std::string& place);

/// A list of whole numbers, [N] or [N, 1], stored as integers or as floats.
std::vector<std::int64_t> whole_numbers(hid_t group, const char* name, const std::string& place);
std::vector<std::string> strings(hid_t group, const char* name, const std::string& place);
/// A text in an attribute, of fixed length; empty if there is none.
std::string text_attribute(hid_t object, const char* name, const std::string& place);

/// Where the bytes of a data set lie.
ArrayLayout array_layout(const RegularFile& file, hid_t group, const char* name, const std::string& place);

}  // namespace qfw::hdf5_dataset
