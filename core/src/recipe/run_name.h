#pragma once

#include <filesystem>

namespace qfw::recipe {

/// The name of a recipe's run, a path below runs/: the recipe's path below the last folder called `recipes`, or else below the
/// current folder, or for a file outside it the last folder and the file, without its ending. Never absolute, never with `..`.
std::filesystem::path run_name(const std::filesystem::path& file);

/// The run folder (what qfw locked once) whose own recipe.ini a file is; empty for any other file.
std::filesystem::path run_folder_of(const std::filesystem::path& file);

}  // namespace qfw::recipe
