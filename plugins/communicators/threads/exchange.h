#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "qfw/communicator.h"

namespace qfw::threads {

/// What a replica asks for: equal on all of them.
struct Call {
  enum class Kind { reduce, broadcast, barrier, gather };
  Kind kind = Kind::barrier;
  DType dtype = DType::f32;  ///< of reduce
  Communicator::Reduction how = Communicator::Reduction::sum;
  int root = 0;           ///< of broadcast
  std::size_t bytes = 0;  ///< of reduce and broadcast; what is gathered may differ

  bool operator==(const Call&) const = default;
  std::string str() const;  ///< "all_reduce(f32, mean) of 400 bytes"
};

/// One call of all replicas. Guarded by the group's mutex, but for work().
struct Exchange {
  Exchange(const Call& call, int size) : call(call), parts(static_cast<std::size_t>(size)) {}

  std::size_t chunks() const;
  /// Does one chunk: sums in double and in the order of ranks, given to all parts, so all have the same bits however the chunks
  /// are shared out.
  void work(std::size_t chunk);

  const Call call;
  std::vector<std::span<std::byte>> parts;       ///< by rank
  std::vector<std::vector<std::byte>> gathered;  ///< by rank; written by the only chunk of a gather
  int joined = 0;
  bool ready = false, done = false, in_background = false;
  std::size_t next_chunk = 0, chunks_done = 0;
};

}  // namespace qfw::threads
