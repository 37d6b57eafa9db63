#pragma once

#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "qfw/communicator.h"
#include "qfw/error.h"
#include "support/evaluate.h"

namespace qfw::testing {

/// Each replica in its thread; what they threw, in order of rank ("" for none).
inline std::vector<std::string> on_each(Communicator& first, const std::function<void(Communicator&)>& work) {
  std::vector<std::string> errors(static_cast<std::size_t>(first.local_size()));
  std::vector<std::thread> threads;
  for (int i = 0; i < first.local_size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        work(first.local(i));
      } catch (const Error& error) {
        errors[static_cast<std::size_t>(i)] = error.what();
        first.abort();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  return errors;
}

}  // namespace qfw::testing
