#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>

#include "qfw/frozen_model.h"

namespace qfw::codes {

/// Names of arrays and values in one space: those of HDF5, where no name may be that of another one's folder.
class Names {
 public:
  /// `wanted`, or something like it that is free. It is taken then.
  std::string take(std::string wanted);

 private:
  std::set<std::string> taken_, folders_;
};

/// A name for each value of a graph: that of its layer and what it is there ("stage1/block0/conv_1/sums"), or its op.
class Values {
 public:
  Values(const FrozenModel& model, Names& names);
  const std::string& name(Use use) const { return names_.at({use.node, use.output}); }

 private:
  std::map<std::pair<int, int>, std::string> names_;
};

}  // namespace qfw::codes
