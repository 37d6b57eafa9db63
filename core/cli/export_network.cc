#include "export_network.h"

#include <fmt/format.h>

#include <charconv>
#include <system_error>

#include "qfw/error.h"
#include "util/interrupt.h"
#include "verify_network.h"
#include "write_network.h"

namespace qfw {

namespace {

std::optional<std::int64_t> images_of(const Arguments& arguments, std::string_view option) {
  if (!arguments.has(option)) return std::nullopt;
  return arguments.get(option).empty() ? 0 : arguments.number(option, 0, 1);
}

std::optional<double> percent_of(const Arguments& arguments, std::string_view option) {
  if (!arguments.has(option)) return std::nullopt;
  const std::string text = arguments.get(option);
  double value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size() && value >= 0 && value <= 100) return value;
  fail(Error::Category::usage, "export", fmt::format("--{} is a number of percent from 0 to 100, not '{}'", option, text));
}

}  // namespace

Proof proof_of(const Arguments& arguments) {
  const Proof proof{.verify = images_of(arguments, "verify"),
                    .only = images_of(arguments, "verify-only"),
                    .check = images_of(arguments, "check"),
                    .agreement = percent_of(arguments, "agreement")};
  if (proof.agreement && !proof.verify && !proof.only) {
    fail(Error::Category::usage, "export", "--agreement is given, and nothing is to be verified", {}, "add --verify");
  }
  if (proof.only && (proof.verify || proof.check)) {
    fail(Error::Category::usage, "export",
         fmt::format("--verify-only writes nothing, --{} goes with what is written", proof.verify ? "verify" : "check"), {},
         "leave one out");
  }
  return proof;
}

int export_network(const NetworkExport& wanted, const RunSource& source, const Catalog& catalog) {
  const InterruptGuard guard(wanted.proof.only ? "stopping, without a result" : "stopping, without a file");
  if (wanted.proof.only) {
    verify_network(wanted, source, catalog);
  } else {
    write_network(wanted, source, catalog);
  }
  return 0;
}

}  // namespace qfw
