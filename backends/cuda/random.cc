#include "random.h"

#include <algorithm>

#include "launch.h"

namespace qfw::cuda {

RandomUniform::RandomUniform(Loader& loader, const TensorType& result, std::uint64_t stream, const std::byte* state)
    : device_(loader.device()), stream_(stream), count_(result.shape.count()), state_(state) {
  // As many blocks as are resident at once: the key is made once for all numbers of a thread.
  const std::int64_t blocks = std::max(1, device_.properties().multiprocessors) * 8LL;
  shape_ = one_thread_each(std::clamp<std::int64_t>((count_ + 3) / 4, 1, blocks * threads_a_block),
                           "random numbers " + result.str());
  function_ = loader.ask(kernel_source("random_uniform_f32", "float* to, const RandomState* state, u64 stream, long long count",
                                       "random_uniform(to, state, stream, count);"));
}

void RandomUniform::enqueue(std::span<const std::byte* const>, std::span<const Address> outputs, Address) {
  if (count_ > 0) launch(device_, **function_, shape_, outputs[0], state_, stream_, count_);
}

}  // namespace qfw::cuda
