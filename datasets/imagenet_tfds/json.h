#pragma once

#include <boost/json/object.hpp>
#include <filesystem>
#include <string>

namespace qfw::tfds {

/// Throws Error::Category::data that blames a file, as it is no part of a prepared data set.
[[noreturn]] void unfit(const std::filesystem::path& file, const std::string& what,
                        const std::string& remedy = "point dataset.data_dir at a folder that TensorFlow Datasets has prepared");

/// Of dataset_info.json and the like; what is no JSON is told with line and column.
boost::json::object read_object(const std::filesystem::path& file);

/// A text of an object, or `otherwise` where there is none.
std::string text_at(const boost::json::object& object, const char* key, const std::string& otherwise);

}  // namespace qfw::tfds
