#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "viewer/folder_files.h"

namespace qfw::viewer {

struct NamedFault {
  std::string name, fault;  ///< of a file below the run's folder, and in words what is wrong with it
};

/// Of the folder of checkpoints, of the newest one, by its name in checkpoints/ (empty: there is none), and of best.h5: as far
/// as their beginnings and lengths tell, as reading all of each would take too long.
std::vector<NamedFault> faults_of_checkpoints(const Folder& run, const std::string& newest);

/// Of what a run writes and nobody reads here, and of `read`, which is read elsewhere: what is a folder, a pipe, a link, ...
/// where a file should be.
std::vector<NamedFault> faults_of_kind(const Folder& run, std::span<const std::string_view> read = {});

}  // namespace qfw::viewer
