#include <gtest/gtest.h>

#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <vector>

#include "conformance/case.h"
#include "conformance/runner.h"

/// A backend that was asked for by name and is not there fails the suite; only the default one may be skipped.
int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  // One of each lives as long as the tests, which make their own: a device that nobody else in the process has open takes long
  // to be opened and closed.
  std::vector<std::unique_ptr<qfw::Backend>> open;
  if (std::getenv("QFW_CONFORMANCE_BACKENDS") != nullptr) {
    const auto names = qfw::conformance::backends();
    if (names.empty()) {
      std::cerr << "conformance: QFW_CONFORMANCE_BACKENDS names no backend; unset it or name some, separated by commas\n";
      return 1;
    }
    for (const std::string& name : names) {
      if (const std::string reason = qfw::conformance::missing(name); !reason.empty()) {
        std::cerr << "conformance: QFW_CONFORMANCE_BACKENDS names a backend that cannot be tested: " << reason << '\n';
        return 1;
      }
      try {
        open.push_back(qfw::conformance::make_backend(name));
      } catch (const std::exception& error) {
        std::cerr << "conformance: QFW_CONFORMANCE_BACKENDS names a backend that cannot be tested: " << error.what() << '\n';
        return 1;
      }
    }
  }
  return RUN_ALL_TESTS();
}
