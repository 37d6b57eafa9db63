#pragma once

// random_uniform_element of qfw/random.h.
namespace qfw::device {

using u64 = unsigned long long;

__device__ __forceinline__ u64 mixed(u64 x) {
  x += 0x9e3779b97f4a7c15ull;
  x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ x >> 27) * 0x94d049bb133111ebull;
  return x ^ x >> 31;
}

/// Philox4x32-10.
__device__ __forceinline__ Pack<unsigned, 4> philox(Pack<unsigned, 4> c, unsigned key0, unsigned key1) {
#pragma unroll
  for (int round = 0; round < 10; ++round) {
    const unsigned high0 = __umulhi(0xd2511f53u, c.v[0]), low0 = 0xd2511f53u * c.v[0];
    const unsigned high2 = __umulhi(0xcd9e8d57u, c.v[2]), low2 = 0xcd9e8d57u * c.v[2];
    c = {{high2 ^ c.v[1] ^ key0, low2, high0 ^ c.v[3] ^ key1, low0}};
    key0 += 0x9e3779b9u;
    key1 += 0xbb67ae85u;
  }
  return c;
}

/// `count` numbers; a thread makes four at a time, one counter's, until the grid has made all.
__device__ __forceinline__ void random_uniform(float* __restrict__ to, const RandomState* __restrict__ state, u64 stream,
                                               i64 count) {
  constexpr u64 tag_of_elements = 2;
  const u64 key = mixed(state->seed ^ mixed(stream ^ mixed(tag_of_elements)));
  const u64 step = static_cast<u64>(state->step);
  const i64 threads = static_cast<i64>(gridDim.x) * blockDim.x;
  for (i64 block = thread_index(); 4 * block < count; block += threads) {
    const auto at = static_cast<u64>(block);
    const auto words = philox({{static_cast<unsigned>(at), static_cast<unsigned>(at >> 32), static_cast<unsigned>(step),
                                static_cast<unsigned>(step >> 32)}},
                              static_cast<unsigned>(key), static_cast<unsigned>(key >> 32));
    Pack<float, 4> numbers;
#pragma unroll
    for (int i = 0; i < 4; ++i) numbers.v[i] = static_cast<float>(words.v[i] >> 8) * 0x1p-24f;
    if (4 * block + 4 <= count) {
      reinterpret_cast<Pack<float, 4>*>(to)[block] = numbers;
      continue;
    }
    for (int i = 0; 4 * block + i < count; ++i) to[4 * block + i] = numbers.v[i];
  }
}

}  // namespace qfw::device
