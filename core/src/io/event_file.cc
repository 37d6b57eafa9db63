#include "io/event_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <utility>

#include "event.pb.h"
#include "io/log.h"
#include "qfw/error.h"
#include "util/counted.h"
#include "util/host.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr std::size_t most_pending = 16 << 20;

/// The reflected polynomial 0x1edc6f41.
constexpr auto crc_table = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = value & 1 ? value >> 1 ^ 0x82f63b78u : value >> 1;
    table[i] = value;
  }
  return table;
}();

double wall_time() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

template <class T>
void append_raw(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0u;
  for (const auto byte : bytes) crc = crc >> 8 ^ crc_table[(crc ^ static_cast<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

std::uint32_t masked_crc32c(std::span<const std::byte> bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

struct EventFile::Impl {
  fs::path path;
  int descriptor = -1;
  std::mutex mutex;
  std::string pending;    ///< not yet written
  std::uint64_t end = 0;  ///< of what is written: a failed attempt is repeated at the same place
  std::uint64_t dropped = 0;
  bool failing = false;
  Clock::time_point flushed = Clock::now();
  double flush_seconds = 10;

  ~Impl() {
    if (descriptor >= 0) close(descriptor);
  }

  void open(const fs::path& folder);
  void add(const events::Event& event);
  void flush();
};

/// A name of its own for each process, also for two within one second: TensorBoard reads files in the order of their names.
void EventFile::Impl::open(const fs::path& folder) {
  const auto seconds = static_cast<long long>(wall_time());
  const std::string host = host_name();
  for (int number = 0; number < 1000; ++number) {
    path = folder / fmt::format("events.out.tfevents.{:010}.{}", seconds + number, host);
    descriptor = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (descriptor >= 0 || errno != EEXIST) break;
  }
  if (descriptor < 0)
    fail(Error::Category::data, "events", fmt::format("cannot create {}: {}", path.string(), std::strerror(errno)));
}

/// TFRecord: length, its checksum, the bytes, their checksum; all little-endian.
void EventFile::Impl::add(const events::Event& event) {
  const std::string bytes = event.SerializeAsString();
  const auto length = static_cast<std::uint64_t>(bytes.size());
  append_raw(pending, length);
  append_raw(pending, masked_crc32c(std::as_bytes(std::span(&length, 1))));
  pending += bytes;
  append_raw(pending, masked_crc32c(std::as_bytes(std::span(bytes))));
  if (std::chrono::duration<double>(Clock::now() - flushed).count() >= flush_seconds) flush();
}

/// Curves are not worth a training: what cannot be written now is said once and tried again with the next events.
void EventFile::Impl::flush() {
  flushed = Clock::now();
  for (std::size_t done = 0; done < pending.size();) {
    const ssize_t wrote = pwrite(descriptor, pending.data() + done, pending.size() - done, static_cast<off_t>(end + done));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) {
      if (!std::exchange(failing, true)) {
        logger().warn("cannot write {}: {}; training goes on, and what is missing there is written when that is possible",
                      path.string(), std::strerror(errno));
      }
      if (pending.size() > most_pending) dropped += std::exchange(pending, {}).size();
      return;
    }
    done += static_cast<std::size_t>(wrote);
  }
  end += pending.size();
  pending.clear();
  failing = false;
}

EventFile::EventFile(const fs::path& folder, std::int64_t resumed_at, double flush_seconds) : impl_(std::make_unique<Impl>()) {
  impl_->flush_seconds = flush_seconds;
  impl_->open(folder);
  events::Event event;
  event.set_wall_time(wall_time());
  event.set_file_version("brain.Event:2");
  impl_->add(event);
  if (resumed_at > 0) {
    event.set_step(resumed_at);
    event.mutable_session_log()->set_status(events::SessionLog::START);
    impl_->add(event);
  }
  impl_->flush();
}

EventFile::~EventFile() {
  impl_->flush();
  if (const std::uint64_t lost = impl_->dropped + impl_->pending.size(); lost > 0) {
    logger().warn("{} lacks {} of curves that could not be written", impl_->path.string(), counted(lost, "byte"));
  }
}

void EventFile::scalar(std::string_view tag, std::int64_t step, double value) {
  const std::pair<std::string, double> one{tag, value};
  scalars(step, std::span(&one, 1));
}

void EventFile::scalars(std::int64_t step, std::span<const std::pair<std::string, double>> values) {
  events::Event event;
  event.set_wall_time(wall_time());
  event.set_step(step);
  for (const auto& [tag, value] : values) {
    auto& entry = *event.mutable_summary()->add_value();
    entry.set_tag(tag);
    entry.set_simple_value(static_cast<float>(value));
  }
  const std::lock_guard lock(impl_->mutex);
  impl_->add(event);
}

void EventFile::histogram(std::string_view tag, std::int64_t step, std::span<const float> values) {
  std::vector<double> finite;
  for (const float value : values) {
    if (std::isfinite(value)) finite.push_back(value);
  }
  if (finite.empty()) return;
  const auto [low, high] = std::minmax_element(finite.begin(), finite.end());
  events::Event event;
  event.set_wall_time(wall_time());
  event.set_step(step);
  auto& entry = *event.mutable_summary()->add_value();
  entry.set_tag(std::string(tag));
  auto& histogram = *entry.mutable_histo();
  histogram.set_min(*low);
  histogram.set_max(*high);
  histogram.set_num(static_cast<double>(finite.size()));
  double sum = 0, squares = 0;
  for (const double value : finite) sum += value, squares += value * value;
  histogram.set_sum(sum);
  histogram.set_sum_squares(squares);

  constexpr int buckets = 30;
  const double width = (*high - *low) / buckets;
  std::array<double, buckets> counts{};
  for (const double value : finite) {
    const int bucket = width > 0 ? static_cast<int>((value - *low) / width) : 0;
    counts[static_cast<std::size_t>(std::clamp(bucket, 0, buckets - 1))] += 1;
  }
  for (int i = 0; i < buckets; ++i) {
    histogram.add_bucket_limit(i + 1 < buckets ? *low + width * (i + 1) : *high);
    histogram.add_bucket(counts[static_cast<std::size_t>(i)]);
  }
  const std::lock_guard lock(impl_->mutex);
  impl_->add(event);
}

void EventFile::flush() {
  const std::lock_guard lock(impl_->mutex);
  impl_->flush();
}

const fs::path& EventFile::path() const { return impl_->path; }

}  // namespace qfw
