#pragma once

#include <sys/resource.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "qfw/random.h"

namespace qfw::test {

/// How many mutations a test tries: QFW_MUTATIONS, or few.
inline int mutations() {
  const char* asked = std::getenv("QFW_MUTATIONS");
  return asked ? std::atoi(asked) : 60;
}

/// A damaged copy: one to four flips, blocks that are zeroed, moved, cut out or doubled, numbers that overflow, or an early
/// end. A function of its arguments. Two in three lie near the start, where files keep their structure.
inline std::string mutated(std::string bytes, std::uint64_t seed) {
  RandomStream random(seed, 17);
  const auto place = [&](std::size_t room) {
    const std::size_t most = random.below(3) != 0 ? std::min<std::size_t>(bytes.size(), 4096) : bytes.size();
    return most > room ? random.below(most - room) : 0;
  };
  constexpr std::uint64_t numbers[] = {
      0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff, 0x7fffffffffffffff, ~std::uint64_t{0}};
  for (auto rounds = 1 + random.below(4); rounds > 0 && bytes.size() > 64; --rounds) {
    const std::size_t length = 1 + random.below(32), at = place(length + 8), other = place(length + 8);
    const std::uint64_t number = numbers[random.below(std::size(numbers))];
    switch (random.below(8)) {
      case 0:
        bytes.erase(at, length);
        break;
      case 1:
        bytes.insert(at, bytes.substr(other, length));
        break;
      case 2:
        std::memmove(&bytes[at], &bytes[other], length);
        break;
      case 3:
        std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), length, '\0');
        break;
      case 4:
        bytes.resize(random.below(8) == 0 ? at + 1 : bytes.size());
        break;
      case 5:
        std::memcpy(&bytes[at], &number, std::size_t{1} << random.below(4));
        break;
      default:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    }
  }
  return bytes;
}

/// The most memory that this process, or a child that has ended, ever had at once; 0 under sanitizers, which have much of their
/// own.
inline std::uint64_t peak_memory() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return 0;
#endif
  rusage own{}, children{};
  getrusage(RUSAGE_SELF, &own);
  getrusage(RUSAGE_CHILDREN, &children);
  return static_cast<std::uint64_t>(std::max(own.ru_maxrss, children.ru_maxrss)) << 10;
}

}  // namespace qfw::test
