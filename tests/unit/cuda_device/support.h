#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "fake/control.h"
#include "libraries.h"
#include "qfw/error.h"
#include "support/files.h"

namespace qfw::cuda {

namespace fs = std::filesystem;

inline std::string slurp(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The message and category with which `call` fails; an empty message if it does not.
struct Failure {
  std::string message;
  Error::Category category = Error::Category::internal;
};
template <class Call>
Failure failure_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return {error.what(), error.category()};
  }
  return {};
}

/// A search that sees nothing but what a test makes: no loader, no system folders, no environment but `variables`.
inline Surroundings nothing_around(std::string option = {}, std::map<std::string, std::string> variables = {}) {
  return {.option = std::move(option),
          .environment =
              [variables = std::move(variables)](const char* name) {
                const auto found = variables.find(name);
                return found == variables.end() ? nullptr : found->second.c_str();
              },
          .root = "/nowhere",
          .loader = false};
}

inline const std::string fakes = QFW_FAKE_CUDA;

inline fake::Control& control_of(const Library& library) {
  FakeControl* get = nullptr;
  library.bind(get, "fake_control");
  return *get();
}

/// The made-up libraries, counting from nothing.
struct Fakes {
  Fakes() { reset(); }
  void reset() {
    for (fake::Control* control : {&driver, &nvrtc, &cudnn}) *control = {};
  }

  Libraries libraries = Libraries::open(nothing_around(fakes));
  fake::Control &driver = control_of(libraries.driver), &nvrtc = control_of(libraries.compiler),
                &cudnn = control_of(libraries.cudnn);
};

}  // namespace qfw::cuda
