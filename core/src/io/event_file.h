#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace qfw {

/// Metrics as TensorBoard reads them: events.out.tfevents.SECONDS.HOST in the run folder, a new file for each process.
/// Thread-safe. A file that cannot be made throws Error::Category::data; what cannot be written later is warned of once, tried
/// again with every flush, and counted in the end.
class EventFile {
 public:
  /// `resumed_at` is the step the run continues with; TensorBoard then drops what earlier files say of it and of later steps.
  /// 0: a new run.
  explicit EventFile(const std::filesystem::path& folder, std::int64_t resumed_at = 0, double flush_seconds = 10);
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;
  ~EventFile();  ///< flushes

  void scalar(std::string_view tag, std::int64_t step, double value);
  /// Several values of one step as one event.
  void scalars(std::int64_t step, std::span<const std::pair<std::string, double>> values);
  void histogram(std::string_view tag, std::int64_t step, std::span<const float> values);  ///< bounds per channel
  void flush();

  const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// CRC-32C (Castagnoli), as TFRecord frames need it; `masked_crc32c` is its rotated form (TensorFlow's crc32c.h).
std::uint32_t crc32c(std::span<const std::byte> bytes);
std::uint32_t masked_crc32c(std::span<const std::byte> bytes);

}  // namespace qfw
