#include <unistd.h>

#include <cerrno>

#include "qfw/confined.h"
#include "qfw/error.h"

namespace qfw {

namespace {
constexpr std::size_t piece = 1 << 16;
}

void Answer::put_bytes(std::span<const std::byte> bytes) {
  held_.insert(held_.end(), bytes.begin(), bytes.end());
  if (held_.size() >= piece) flush();
}

void Answer::put_text(std::string_view text) { put_list(std::span(text)); }

void Answer::flush() {
  std::span<const std::byte> left = held_;
  while (!left.empty()) {
    const ssize_t written = write(descriptor_, left.data(), left.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(Error::Category::internal, "confined", "the parent does not take the answer");
    left = left.subspan(static_cast<std::size_t>(written));
  }
  held_.clear();
}

std::span<const std::byte> Received::take_bytes(std::uint64_t count) {
  if (count > bytes_.size() - taken_) fail(Error::Category::internal, "confined", "an answer ends too early");
  const auto part = std::span(bytes_).subspan(taken_, count);
  taken_ += count;
  return part;
}

std::string Received::take_text() {
  const auto characters = take_list<char>();
  return {characters.begin(), characters.end()};
}

}  // namespace qfw
