#include "exchange.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace qfw::threads {

namespace {

constexpr std::size_t chunk_bytes = 1 << 16;

template <class T>
void reduce(std::span<const std::span<std::byte>> parts, std::size_t begin, std::size_t end, Communicator::Reduction how) {
  const auto of = [&](std::size_t rank) { return reinterpret_cast<T*>(parts[rank].data()); };
  for (std::size_t i = begin; i < end; ++i) {
    double total = 0;
    for (std::size_t rank = 0; rank < parts.size(); ++rank) total += static_cast<float>(of(rank)[i]);
    if (how == Communicator::Reduction::mean) total /= static_cast<double>(parts.size());
    const T result(static_cast<float>(total));
    for (std::size_t rank = 0; rank < parts.size(); ++rank) of(rank)[i] = result;
  }
}

}  // namespace

std::string Call::str() const {
  const char* mean = how == Communicator::Reduction::mean ? "mean" : "sum";
  switch (kind) {
    case Kind::reduce:
      return fmt::format("all_reduce({}, {}) of {} bytes", name_of(dtype), mean, bytes);
    case Kind::broadcast:
      return fmt::format("broadcast() of {} bytes from replica {}", bytes, root);
    case Kind::barrier:
      return "barrier()";
    case Kind::gather:
      return "all_gather()";
  }
  return {};
}

std::size_t Exchange::chunks() const {
  switch (call.kind) {
    case Call::Kind::reduce:
    case Call::Kind::broadcast:
      return (call.bytes + chunk_bytes - 1) / chunk_bytes;
    case Call::Kind::barrier:
      return 0;
    case Call::Kind::gather:
      return 1;
  }
  return 0;
}

void Exchange::work(std::size_t chunk) {
  if (call.kind == Call::Kind::gather) {
    for (const auto part : parts) gathered.emplace_back(part.begin(), part.end());
    return;
  }
  const std::size_t begin = chunk * chunk_bytes, end = std::min(call.bytes, begin + chunk_bytes);
  if (call.kind == Call::Kind::broadcast) {
    const std::byte* from = parts[static_cast<std::size_t>(call.root)].data();
    for (const auto part : parts) {
      if (part.data() != from) std::memcpy(part.data() + begin, from + begin, end - begin);
    }
  } else if (call.dtype == DType::bf16) {
    reduce<BFloat16>(parts, begin / sizeof(BFloat16), end / sizeof(BFloat16), call.how);
  } else {
    reduce<float>(parts, begin / sizeof(float), end / sizeof(float), call.how);
  }
}

}  // namespace qfw::threads
