#pragma once

#include <string>
#include <vector>

/// What a test tells a made-up library of NVIDIA's, and learns from it.
namespace fake {

struct Control {
  // Counted are all calls that return a status.
  long calls = 0;
  long fail_at = 0;     ///< the call with this number, from 1, fails; 0: none
  int fail_with = 1;    ///< its status
  std::string failed;   ///< the function that did
  int live = 0;         ///< objects made and not given back
  std::string mistake;  ///< the first thing that no real library would have let pass
  std::vector<std::string> log;

  int init_status = 0;   ///< of what comes first
  int compiler = 13010;  ///< NVRTC's version
  // Of the driver alone.
  int version = 13000, devices = 2;
  int major = 9, minor = 0, multiprocessors = 132, shared_per_block = 232448;
  std::size_t memory = std::size_t{80} << 30;

  /// The status of a call that would succeed.
  int status(const char* function) {
    if (++calls != fail_at) return 0;
    failed = function;
    return fail_with;
  }
  void wrong(const std::string& what) {
    if (mistake.empty()) mistake = what;
  }
};

}  // namespace fake

/// Every made-up library has one: `extern "C" fake::Control* fake_control()`.
using FakeControl = fake::Control*();
