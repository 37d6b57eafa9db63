#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "listing.h"

namespace qfw::image_folder {

/// The lines of a list of labels that are not empty.
struct LabelList {
  struct Line {
    int number = 0;
    std::string text;
  };
  std::filesystem::path path;
  std::vector<Line> lines;
};
LabelList read_labels(const std::filesystem::path& path);

/// Labels the files of a flat folder. A line is `FILE LABEL`, the file's name with or without its extension, or, in the order
/// of the sorted names, LABEL alone; a label is the name of a class or its number from 0. Every file has one line and every
/// line its file.
void label_files(Listing& listing, const LabelList& list, const std::vector<std::string>& class_names);

/// The names of the classes where there is no folder of classes: the labels' names, sorted, or 0 to the largest number.
std::vector<std::string> classes_of(const Listing& listing, const LabelList& list);

}  // namespace qfw::image_folder
