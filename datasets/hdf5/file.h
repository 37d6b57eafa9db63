#pragma once

#include <filesystem>
#include <string>

namespace qfw::hdf5_dataset {

std::filesystem::path with_home(const std::string& path);  ///< ~ expanded
/// `path` itself if it is no folder and ends with .h5 or .hdf5, else dataset.h5 in it.
std::filesystem::path file_of(const std::filesystem::path& path);

}  // namespace qfw::hdf5_dataset
