// logits_at_level NETWORK THREADS TARGETS FILE: evaluates a network (or the products of extremes.h) on cpu with the project's
// own kernels capped to the Highway targets of a bit mask (oneDNN's cap is in the environment), and writes its logits. Prints
// what the backend says.
#include <fmt/format.h>
#include <hwy/targets.h>

#include <cstdlib>
#include <exception>
#include <string_view>

#include "parity/integers/extremes.h"
#include "parity/integers/network.h"
#include "support/evaluate.h"

int main(int count, char** arguments) {
  if (count != 5) {
    fmt::print(stderr, "usage: logits_at_level NETWORK THREADS TARGETS FILE\n");
    return 2;
  }
  try {
    const std::int64_t all = hwy::SupportedTargets() | HWY_EMU128 | HWY_SCALAR;
    hwy::SetSupportedTargetsForTest(all & std::strtoll(arguments[3], nullptr, 10));
    if (std::string_view(arguments[1]) == "extremes") {
      qfw::parity::save(qfw::parity::extreme_sums("cpu"), arguments[4]);
      fmt::print("{}\n", qfw::testing::make<qfw::Backend>("cpu")->describe());
      return 0;
    }
    const qfw::parity::Network& network = qfw::parity::network(arguments[1]);
    const auto session = qfw::parity::session_of(network, "cpu", std::atoi(arguments[2]));
    qfw::parity::save(qfw::parity::logits_of(network, *session), arguments[4]);
    fmt::print("{}\n", session->backend().describe());
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
