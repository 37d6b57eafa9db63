#pragma once

#include <cstddef>

namespace qfw::cpu {

inline constexpr std::size_t alignment = 64;  // a cache line, and the widest vector

/// Zeroed memory from the system, on huge pages where it offers them.
class Pages {
 public:
  Pages() = default;
  explicit Pages(std::size_t bytes);  // throws Error::Category::device when there is not as much
  Pages(Pages&& other) noexcept;
  Pages& operator=(Pages&& other) noexcept;
  ~Pages();

  std::byte* data() const { return data_; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::byte* data_ = nullptr;
  std::size_t bytes_ = 0;
};

}  // namespace qfw::cpu
