#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>

#include "viewer/folder_files.h"

namespace qfw::viewer {

/// What a run is doing, as far as its folder and the processes of this machine tell.
struct Life {
  std::string state;          ///< those of status.json and report.json; and "running", "killed", "unknown"
  std::optional<bool> alive;  ///< whether a process works on it; none: that cannot be seen from here
  std::string why;            ///< what the state was taken from, for those who doubt it
};

/// What is known of a run's files; null and 0 where there is none.
struct Traces {
  const boost::json::object* status = nullptr;  ///< of status_fields()
  const boost::json::object* report = nullptr;  ///< of report_fields()
  double report_modified = 0, series_modified = 0;
};

Life life_of(const Folder& folder, const Traces& traces);

}  // namespace qfw::viewer
