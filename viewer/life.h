#pragma once

#include <boost/json/object.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "viewer/folder_files.h"

namespace qfw::viewer {

/// What a run is doing, as far as its folder tells.
struct Life {
  /// Of one at work: starting, compiling, training, evaluating, saving; running, if it does not say (an older version). Of one
  /// that ended: finished, interrupted, diverged, failed. killed: it was at work and is no more; unfinished: it is not at work,
  /// and nothing says how it ended (an older version); unknown: nothing can be read.
  std::string state = "unknown";
  std::optional<bool> alive;          ///< whether a process works on it; none: that cannot be seen from here
  std::optional<int> process;         ///< that works on it
  std::string why;                    ///< what the state was taken from, for those who doubt it
  bool by_report = false;             ///< report.json is the newest that is told of the run, status.json older
  std::optional<std::int64_t> step;   ///< the last one that anything tells of, checkpoints included
  double saved = 0;                   ///< when the newest checkpoint that is a file was written; 0: there is none
  std::string checkpoint;             ///< the newest name in checkpoints/, whatever lies there under it
  std::vector<std::string> problems;  ///< what of the folder checkpoints is not read
};

/// What is known of a run's files; null and 0 where there is none.
struct Traces {
  const boost::json::object* status = nullptr;  ///< of status_file()
  const boost::json::object* report = nullptr;  ///< of report_file()
  double report_modified = 0, series_modified = 0;
};

/// The folder's lock tells whether a process works on the run; the host in status.json whether it can be told here.
Life life_of(const Folder& folder, const Traces& traces);

}  // namespace qfw::viewer
