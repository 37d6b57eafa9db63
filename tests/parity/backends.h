#pragma once

#include <gtest/gtest.h>

#include <string>

namespace qfw::parity {

/// Tests that hold for every backend of the default build: GetParam() is its name.
class OnEachBackend : public ::testing::TestWithParam<std::string> {};

#define QFW_ON_EACH_BACKEND(suite) \
  INSTANTIATE_TEST_SUITE_P(Backend, suite, ::testing::Values("reference", "cpu"), [](const auto& info) { return info.param; })

}  // namespace qfw::parity
