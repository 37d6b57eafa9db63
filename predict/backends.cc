#include "predict/backends.h"

#include <fmt/format.h>

#include "backends/cpu/backend.h"
#include "backends/reference/backend.h"
#include "qfw/error.h"

namespace qfw::predict {

Predictor::MakeBackend backend_named(std::string_view name, int threads) {
  if (name == "cpu") {
    return [threads] { return std::make_unique<cpu::CpuBackend>(cpu::CpuBackend::Options{.threads = threads}); };
  }
  if (name == "reference") {
    return [] { return std::make_unique<reference::Reference>(reference::Reference::Options{}); };
  }
  fail(Error::Category::usage, "predict", fmt::format("there is no backend '{}'", name), {}, "there are cpu and reference");
}

}  // namespace qfw::predict
