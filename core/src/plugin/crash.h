#pragma once

#include <string>

#include "qfw/export.h"

namespace qfw {

/// What a crash in a plugin leaves behind, besides the files that were whole before: one line on stderr that names its library.
/// The signal then does what it would have done (a core dump, the exit status of the signal). An exception that cannot be
/// caught, thrown by a destructor or a thread of the plugin's own, ends the process with a line, too, and exit status 1. Once,
/// by main().
QFW_API void report_crashes_of_plugins();

/// From now on, addresses in this library (a handle of dlopen) mean `file`.
void remember_library(void* handle, const std::string& file);

}  // namespace qfw
