#pragma once

#include "qfw/exporter.h"
#include "qfw/options.h"

namespace qfw::codes {

/// A network of integer products for people who write C or logic: docs/deploy.md, "Integer codes for C and FPGA".
class Codes final : public Exporter {
 public:
  struct Options {
    bool thresholds = true, every_sum = false, verbose = false;
    static void declare(Declare<Options>& option);
  };
  /// Throws Error::Category::usage for options of which one has no effect.
  explicit Codes(const Options& options);

  std::vector<std::string> extensions() const override { return {"npz", "h5"}; }
  Promise promise(const FrozenModel& model) const override;
  std::optional<Written> written(const std::filesystem::path& file) const override;
  void write(const FrozenModel& model, const Notes& notes, const std::filesystem::path& file) const override;

 private:
  Options options_;
};

}  // namespace qfw::codes
