#pragma once

#include <string>
#include <vector>

#include "label_rows.h"

namespace qfw::image_folder {

/// What labels mean: the names of classes, or their places in the sorted list of classes, from 0. It is the same for a whole
/// list; `automatic` refuses one that could be read either way with different results.
enum class Meaning { automatic, names, places };

/// Labels the files of a flat folder. Every file has one row and every row its file.
void label_files(Listing& listing, const LabelList& list, const std::vector<std::string>& class_names, Meaning meaning);

/// The names of the classes where there is no folder of classes: the labels' names, sorted, or 0 to the largest number.
std::vector<std::string> classes_of(const LabelList& list);

}  // namespace qfw::image_folder
