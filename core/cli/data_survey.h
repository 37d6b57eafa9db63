#pragma once

#include <string>
#include <vector>

#include "qfw/dataset.h"

namespace qfw {

/// Splits of a data set to be looked at by `qfw data info` and `verify`.
struct SurveyJob {
  const Dataset& dataset;
  std::string name;
  std::vector<std::string> splits;
  int workers = 1;
  bool json = false;
};

/// Each prints what it finds, and returns the exit status.
int print_info(const SurveyJob& job);
int print_verification(const SurveyJob& job);

}  // namespace qfw
