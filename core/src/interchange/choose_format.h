#pragma once

#include <memory>
#include <span>
#include <string>

#include "plugin/catalog.h"
#include "qfw/format.h"

namespace qfw {

/// Whose names the tensors of a file have, and where in it they lie.
struct ChosenFormat {
  std::string name, group;
  std::unique_ptr<Format> format;
};

/// Of `names`, those of all tensors of the file (below `group`, if one is named). Unless the user named a format, the one that
/// recognizes them, the default before the others; unless he named a group, that in which they are recognized. Throws
/// Error::Category::data if no format does, Error::Category::usage if several groups are.
ChosenFormat choose_format(const Catalog& catalog, const std::string& format, const std::string& group,
                           std::span<const std::string> names, const std::string& file);

}  // namespace qfw
