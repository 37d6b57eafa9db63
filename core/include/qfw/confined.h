#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "qfw/export.h"
#include "qfw/regular_file.h"

/// Work on what strangers made, with libraries that may not be up to it, where it can do no harm: in a child process.
namespace qfw {

/// What a confined function hands over: it goes to the parent piece by piece. Both ends are one program on one machine.
class QFW_API Answer {
 public:
  explicit Answer(int descriptor) : descriptor_(descriptor) {}
  void put_bytes(std::span<const std::byte> bytes);
  template <class T>
  requires std::is_trivially_copyable_v<T>
  void put(const T& value) { put_bytes(std::as_bytes(std::span(&value, 1))); }
  void put_text(std::string_view text);
  template <class T>
  void put_list(std::span<const T> values) {
    put<std::uint64_t>(values.size());
    put_bytes(std::as_bytes(values));
  }
  void flush();

 private:
  int descriptor_;
  std::vector<std::byte> held_;
};

/// The parent's end, read in the same order. Throws Error::Category::internal rather than read past the end.
class QFW_API Received {
 public:
  explicit Received(std::vector<std::byte> bytes) : bytes_(std::move(bytes)) {}
  std::span<const std::byte> take_bytes(std::uint64_t count);
  template <class T>
  requires std::is_trivially_copyable_v<T> T take() {
    T value;
    std::copy_n(take_bytes(sizeof value).data(), sizeof value, reinterpret_cast<std::byte*>(&value));
    return value;
  }
  std::string take_text();
  template <class T>
  std::vector<T> take_list() {
    const auto count = take<std::uint64_t>();
    const auto bytes = take_bytes(count > bytes_.size() ? count : count * sizeof(T));
    std::vector<T> values(count);
    std::copy_n(bytes.data(), bytes.size(), reinterpret_cast<std::byte*>(values.data()));
    return values;
  }

 private:
  std::vector<std::byte> bytes_;
  std::size_t taken_ = 0;
};

/// What the child may use, and what an error says if it fails.
struct Confinement {
  std::string tag, task, place, remedy;  ///< task: "reading the file"
  std::uint64_t memory = 0;              ///< bytes it may allocate, and hand over; 0: no limit
  unsigned seconds = 0;                  ///< of the clock, and of a processor; 0: no limit
};
/// For reading a file: 256 MiB and four times its size, 2 GiB at most; 10 seconds and one for each MB.
QFW_API Confinement confinement_for(const RegularFile& file, std::string_view tag);

/// Calls `work` in a child process and returns what it answered. An Error thrown by it is thrown here; a crash, or going beyond
/// the limits, is an Error::Category::data. The child has this thread only: it must neither wait for others nor log,
/// but may use HDF5, which nobody else of the core was using when it began.
QFW_API Received run_confined(const Confinement& limits, const std::function<void(Answer&)>& work);

}  // namespace qfw
