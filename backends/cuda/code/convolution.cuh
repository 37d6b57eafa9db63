#pragma once

// Products of (u8|s8) images and s8 weights in s32, exact, of any geometry (Correlation, arguments.cuh), in tiles or, of groups
// of few channels, by each thread on its own. Whole sums are handed to an epilogue: (row, column, sums), `sums` being a
// Pack<s32, n> of neighbouring columns, n dividing `column` and the columns; `row` is that of the result, its pixel. Or they
// are staged: a tile's lie in shared memory then, some rows at a time, for what rides on it (riding_text.h).
namespace qfw::device {

/// Stores sums.
struct StoreSums {
  s32* to;
  int columns;

  template <int n>
  __device__ __forceinline__ void operator()(int row, int column, const Pack<s32, n>& sums) {
    *reinterpret_cast<Pack<s32, n>*>(to + static_cast<i64>(row) * columns + column) = sums;
  }
};

/// Adds parts of sums, from blocks that share out the depth of a product among them, to zeros.
struct AddSums {
  s32* to;
  int columns;

  template <int n>
  __device__ __forceinline__ void operator()(int row, int column, const Pack<s32, n>& sums) {
    for (int i = 0; i < n; ++i) atomicAdd(to + static_cast<i64>(row) * columns + column + i, sums.v[i]);
  }
};

__device__ __forceinline__ int result_row(const Correlation& c, int row) {
  if (c.every[0] == 1 && c.every[1] == 1) return row;
  const int x = row % c.grid_width, rest = row / c.grid_width, y = rest % c.grid_height, image = rest / c.grid_height;
  return (image * c.dst_height + c.first[0] + c.every[0] * y) * c.dst_width + c.first[1] + c.every[1] * x;
}

/// Where a row of a product reads.
struct Window {
  const u8* image;
  int top, left;

  Window() = default;
  __device__ __forceinline__ Window(const u8* images, const Correlation& c, int row) {
    const int x = row % c.grid_width, rest = row / c.grid_width, y = rest % c.grid_height, n = rest / c.grid_height;
    image = images + static_cast<i64>(n) * c.height * c.width * c.channels;
    top = y * c.step[0] - c.low[0];
    left = x * c.step[1] - c.low[1];
  }
  /// Of tap (i, j) the pixel's channels; null outside of the image.
  __device__ __forceinline__ const u8* tap(const Correlation& c, int i, int j) const {
    const int y = top + i, x = left + j;
    if (y < 0 || y >= c.height || x < 0 || x >= c.width) return nullptr;
    return image + (static_cast<i64>(y) * c.width + x) * c.channels;
  }
};

// Tiles: rows x columns of a product by the threads of a block, `tile_depth` bytes of depth at a time. Weights are packed as
// [group][column][depth], depth in the order of tap (row, column) and channel, zeros behind.

constexpr int tile_depth = 64;

/// Where chunk `chunk` of 16 bytes of a row is in a tile: eight rows of one chunk, and eight chunks of neighbours, are in banks
/// of their own.
__device__ __forceinline__ int swizzled(int row, int chunk) { return row * tile_depth + ((chunk ^ (row >> 1 & 3)) << 4); }

/// Copies beside the multiplications. From sm_80.
template <int chunks>
struct AsyncCopies {
  static constexpr bool asynchronous = true;
  template <int bytes>
  __device__ __forceinline__ void start(int, int part, u8* to, const u8* from, bool inside) {
    copy_async<bytes>(to + part * bytes, from, inside);
  }
  __device__ __forceinline__ void land(int, u8*) {}
  __device__ __forceinline__ void commit() { copy_commit(); }
  template <int n>
  __device__ __forceinline__ void wait() {
    copy_wait<n>();
  }
};

/// Copies by way of registers, read before the multiplications and written after them: two stages.
template <int chunks>
struct PlainCopies {
  static constexpr bool asynchronous = false;
  Word4 held[chunks];

  template <int bytes>
  __device__ __forceinline__ void start(int chunk, int part, u8*, const u8* from, bool inside) {
    if constexpr (bytes == 16) {
      held[chunk] = inside ? *reinterpret_cast<const Word4*>(from) : Word4{};
    } else {
      held[chunk].v[part] = inside ? *reinterpret_cast<const unsigned*>(from) : 0u;
    }
  }
  __device__ __forceinline__ void land(int chunk, u8* to) { *reinterpret_cast<Word4*>(to) = held[chunk]; }
  __device__ __forceinline__ void commit() {}
  template <int n>
  __device__ __forceinline__ void wait() {}
};

/// m x n by tensor cores, a warp warp_m x warp_n of it; with steps of 16 x 8 x 32, or where sm_75 has none, of 8 x 8 x 16.
template <int m_, int n_, int warp_m, int warp_n, bool large_steps>
struct TensorTile {
  static constexpr int m = m_, n = n_, threads = 32 * (m / warp_m) * (n / warp_n);
  static constexpr int down = warp_m / 16, across = warp_n / 8;
  static_assert(warp_m % 16 == 0 && warp_n % 16 == 0);

  s32 sums[down][across][4] = {};

  __device__ __forceinline__ static int first_row() { return threadIdx.x / 32 % (m / warp_m) * warp_m; }
  __device__ __forceinline__ static int first_column() { return threadIdx.x / 32 / (m / warp_m) * warp_n; }

  template <bool a_signed>
  __device__ __forceinline__ void multiply(const u8* a, const u8* b) {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int step = 0; step < tile_depth / 32; ++step) {
      unsigned fa[down][4], fb[across / 2][4];
#pragma unroll
      for (int i = 0; i < down; ++i) {
        ldmatrix4(fa[i], a + swizzled(first_row() + i * 16 + lane % 16, step * 2 + lane / 16));
      }
#pragma unroll
      for (int j = 0; j < across / 2; ++j) {
        ldmatrix4(fb[j], b + swizzled(first_column() + j * 16 + lane % 8 + lane / 16 * 8, step * 2 + lane / 8 % 2));
      }
#pragma unroll
      for (int i = 0; i < down; ++i) {
#pragma unroll
        for (int j = 0; j < across; ++j) {
          const unsigned two[2] = {fb[j / 2][j % 2 * 2], fb[j / 2][j % 2 * 2 + 1]};
          s32(&d)[4] = sums[i][j];
          if constexpr (large_steps) {
            mma_16x8x32<a_signed>(d, fa[i], two);
          } else {
#pragma unroll
            for (int half = 0; half < 2; ++half) {
              mma_8x8x16<a_signed>(d[0], d[1], fa[i][2 * half], two[half]);
              mma_8x8x16<a_signed>(d[2], d[3], fa[i][2 * half + 1], two[half]);
            }
          }
        }
      }
    }
  }

  /// f(place(row), column, sums) of this thread's elements, but for rows whose place is negative.
  template <class Place, class F>
  __device__ __forceinline__ void for_each(Place place, F f) const {
    const int lane = threadIdx.x % 32;
#pragma unroll
    for (int i = 0; i < down; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        const int row = place(first_row() + i * 16 + half * 8 + lane / 4);
        if (row < 0) continue;
#pragma unroll
        for (int j = 0; j < across; ++j) {
          f(row, first_column() + j * 8 + lane % 4 * 2, pair(i, half, j));
        }
      }
    }
  }

  /// Writes rows [first, first + rows) of the tile, of some warps all, to `to`, rows `pitch` apart.
  template <int rows, int pitch>
  __device__ __forceinline__ void stage(int first, s32* to) const {
    static_assert(rows % warp_m == 0);
    const int lane = threadIdx.x % 32, own = first_row() - first;
    if (own < 0 || own >= rows) return;
#pragma unroll
    for (int i = 0; i < down; ++i) {
#pragma unroll
      for (int half = 0; half < 2; ++half) {
        s32* const row = to + (own + i * 16 + half * 8 + lane / 4) * pitch;
#pragma unroll
        for (int j = 0; j < across; ++j) {
          *reinterpret_cast<Pack<s32, 2>*>(row + first_column() + j * 8 + lane % 4 * 2) = pair(i, half, j);
        }
      }
    }
  }

 private:
  __device__ __forceinline__ Pack<s32, 2> pair(int i, int half, int j) const {
    return {{sums[i][j][2 * half], sums[i][j][2 * half + 1]}};
  }
};

/// The same by dot products of four bytes: a thread has per_m rows and per_n columns, far apart, so that neighbours read
/// neighbouring ones. From sm_61.
template <int m_, int n_, int per_m, int per_n>
struct DotTile {
  static constexpr int m = m_, n = n_, down = m / per_m, across = n / per_n, threads = down * across;

  s32 sums[per_m][per_n] = {};

  template <bool a_signed>
  __device__ __forceinline__ void multiply(const u8* a, const u8* b) {
    const int row = threadIdx.x / across, column = threadIdx.x % across;
#pragma unroll 1
    for (int chunk = 0; chunk < tile_depth / 16; ++chunk) {
      Word4 of_row[per_m];
#pragma unroll
      for (int i = 0; i < per_m; ++i) of_row[i] = *reinterpret_cast<const Word4*>(a + swizzled(row + i * down, chunk));
#pragma unroll
      for (int j = 0; j < per_n; ++j) {
        const Word4 of_column = *reinterpret_cast<const Word4*>(b + swizzled(column + j * across, chunk));
#pragma unroll
        for (int i = 0; i < per_m; ++i) {
#pragma unroll
          for (int k = 0; k < 4; ++k) sums[i][j] = dot4<a_signed>(of_row[i].v[k], of_column.v[k], sums[i][j]);
        }
      }
    }
  }

  template <class Place, class F>
  __device__ __forceinline__ void for_each(Place place, F f) const {
    const int column = threadIdx.x % across;
#pragma unroll
    for (int i = 0; i < per_m; ++i) {
      const int row = place(static_cast<int>(threadIdx.x) / across + i * down);
      if (row < 0) continue;
#pragma unroll
      for (int j = 0; j < per_n; ++j) f(row, column + j * across, Pack<s32, 1>{{sums[i][j]}});
    }
  }

  template <int rows, int pitch>
  __device__ __forceinline__ void stage(int first, s32* to) const {
    static_assert(rows % down == 0);
    const int column = threadIdx.x % across;
#pragma unroll
    for (int i = 0; i < per_m; ++i) {
      const int row = static_cast<int>(threadIdx.x) / across + i * down - first;
      if (row < 0 || row >= rows) continue;
#pragma unroll
      for (int j = 0; j < per_n; ++j) to[row * pitch + column + j * across] = sums[i][j];
    }
  }
};

/// Rows [first_row, last_row) of a product and columns [first_column, last_column) of a group's.
struct Tile {
  int first_row, last_row, first_column, last_column;
};

/// A tile of the product by a block. `word` is 16 where group_in and channels are multiples of 16, else 4, which they are
/// multiples of. `pairs`: group_out is even. Images, weights and result are aligned to 16 bytes.
template <class Engine_, template <int> class Copies, int stages, bool src_signed, int word, bool pairs>
struct TiledProduct {
  using Engine = Engine_;
  static constexpr int rows = Engine::m, columns = Engine::n, threads = Engine::threads;
  static constexpr int stage_bytes = (rows + columns) * tile_depth, shared_bytes = stages * stage_bytes;
  static constexpr int parts = tile_depth / 16;
  static constexpr int rows_at_once = threads / parts, of_a = rows / rows_at_once, of_b = columns / rows_at_once;
  static_assert(rows % rows_at_once == 0 && columns % rows_at_once == 0);
  static_assert(stages == 2 || Copies<1>::asynchronous);

  /// Sums in shared memory: rows of them at once, `pitch` apart, so that a warp's fragments are in banks of their own.
  static constexpr int pitch = columns + 8, staged_rows = rows * pitch * 4 <= 48 << 10 ? rows : rows / 2;
  static constexpr int staged_bytes = staged_rows * pitch * 4;

  __device__ __forceinline__ static int column_tiles(const Correlation& c) { return (c.group_out + columns - 1) / columns; }
  __device__ __forceinline__ static Tile tile(const Correlation& c, int down, int across) {
    const int row = down * rows, column = across * columns;
    return {row, row + rows < c.rows ? row + rows : c.rows, column,
            column + columns < c.group_out ? column + columns : c.group_out};
  }

  /// Adds to the engine's sums: tiles of depth [first, first + part_tiles), of tile_depth bytes each. Threads may still read
  /// shared memory when others are done.
  __device__ __forceinline__ static void multiply(Engine& engine, const u8* __restrict__ images, const u8* __restrict__ weights,
                                                  const Correlation& c, int group, const Tile& tile, int first, int part_tiles,
                                                  u8* shared) {
    const u8* const of_group = images + static_cast<i64>(group) * c.group_in;
    const u8* const of_columns = weights + static_cast<i64>(group) * c.group_out * c.depth;

    // This thread copies 16 bytes of depth of some rows of both operands.
    const int part = threadIdx.x % parts, row0 = threadIdx.x / parts;
    const u8* image[of_a];
    int top[of_a], left[of_a];
#pragma unroll
    for (int i = 0; i < of_a; ++i) {
      const int row = tile.first_row + row0 + i * rows_at_once;
      const Window window(of_group, c, row < c.rows ? row : 0);
      image[i] = window.image;
      left[i] = window.left;
      top[i] = row < c.rows ? window.top : -c.taps[0] - c.height;  // above the image with all taps
    }
    const int all_tiles = (c.depth + tile_depth - 1) / tile_depth;
    const int tiles = all_tiles - first < part_tiles ? all_tiles - first : part_tiles;
    // Channel and tap of the thread's bytes in the tile that is copied next.
    int k = first * tile_depth + part * 16, channel = k % c.group_in, tap = k / c.group_in;
    int j = tap % c.taps[1], i0 = tap / c.taps[1];
    Copies<of_a + of_b> copies;

    const auto start = [&](int number) {
      u8* const stage = shared + number % stages * stage_bytes;
#pragma unroll
      for (int i = 0; i < of_a; ++i) {
        u8* const to = stage + swizzled(row0 + i * rows_at_once, part);
        int b = channel, x = j, y = i0;
#pragma unroll
        for (int w = 0; w < 16 / word; ++w) {
          const int from_y = top[i] + y, from_x = left[i] + x;
          const bool inside = y < c.taps[0] && from_y >= 0 && from_y < c.height && from_x >= 0 && from_x < c.width;
          const u8* const from = image[i] + (static_cast<i64>(from_y) * c.width + from_x) * c.channels + b;
          copies.template start<word>(i, w, to, inside ? from : images, inside);
          if constexpr (word == 16) continue;
          b += word;
          if (b < c.group_in) continue;
          b = 0;
          if (++x < c.taps[1]) continue;
          x = 0;
          ++y;
        }
      }
#pragma unroll
      for (int i = 0; i < of_b; ++i) {
        const int row = row0 + i * rows_at_once, column = tile.first_column + row;
        const bool inside = column < c.group_out && k < c.depth;
        copies.template start<16>(of_a + i, 0, stage + Engine::m * tile_depth + swizzled(row, part),
                                  inside ? of_columns + static_cast<i64>(column) * c.depth + k : weights, inside);
      }
      k += tile_depth;
      if constexpr (word == 4) {
        const int next = k / c.group_in;
        channel = k % c.group_in;
        j = next % c.taps[1];
        i0 = next / c.taps[1];
        return;
      }
      channel += tile_depth;
      while (channel >= c.group_in && i0 < c.taps[0]) {
        channel -= c.group_in;
        if (++j < c.taps[1]) continue;
        j = 0;
        ++i0;
      }
    };
    const auto land = [&](int number) {
      u8* const stage = shared + number % stages * stage_bytes;
#pragma unroll
      for (int i = 0; i < of_a; ++i) copies.land(i, stage + swizzled(row0 + i * rows_at_once, part));
#pragma unroll
      for (int i = 0; i < of_b; ++i)
        copies.land(of_a + i, stage + Engine::m * tile_depth + swizzled(row0 + i * rows_at_once, part));
    };

#pragma unroll 1
    for (int number = 0; number < stages - 1; ++number) {
      if (number < tiles) {
        start(number);
        land(number);
      }
      copies.commit();
    }
#pragma unroll 1
    for (int number = 0; number < tiles; ++number) {
      copies.template wait<stages - 2>();
      __syncthreads();  // it has landed for all threads, and all are done with the stage that is written next
      const int next = number + stages - 1;
      if (next < tiles) start(next);
      copies.commit();
      const u8* const stage = shared + number % stages * stage_bytes;
      engine.template multiply<src_signed>(stage, stage + Engine::m * tile_depth);
      if (next < tiles) land(next);
    }
  }

  /// Writes rows [first, first + staged_rows) of the tile's sums to shared memory.
  __device__ __forceinline__ static void stage(const Engine& engine, int first, u8* shared) {
    __syncthreads();  // all are done with what is there
    engine.template stage<staged_rows, pitch>(first, reinterpret_cast<s32*>(shared));
    __syncthreads();
  }

  /// Tiles in x, groups in y, in z the parts that the depth is shared out in.
  template <class Epilogue>
  __device__ __forceinline__ static void run(const u8* __restrict__ images, const u8* __restrict__ weights,
                                             const Correlation& c, int part_tiles, Epilogue& epilogue, u8* shared) {
    const int tiles = column_tiles(c), group = blockIdx.y, base = group * c.group_out;
    const Tile own = tile(c, blockIdx.x / tiles, blockIdx.x % tiles);
    Engine engine;
    multiply(engine, images, weights, c, group, own, blockIdx.z * part_tiles, part_tiles, shared);
    const auto place = [&](int i) { return own.first_row + i < own.last_row ? result_row(c, own.first_row + i) : -1; };
    engine.for_each(place, [&](int row, int j, auto sums) {
      const int of_group = own.first_column + j;
      if (of_group >= own.last_column) return;
      const int column = base + of_group;
      if constexpr (pairs || sizeof sums == sizeof(s32)) {
        epilogue(row, column, sums);
      } else {
        epilogue(row, column, Pack<s32, 1>{{sums.v[0]}});
        if (of_group + 1 < own.last_column) epilogue(row, column + 1, Pack<s32, 1>{{sums.v[1]}});
      }
    });
  }
};

// Groups of few channels: a thread has some neighbouring columns of some neighbouring rows, and reads what they are made of
// from memory. Weights are packed as words of four channels, [tap][word of the group][column], zeros behind.

constexpr int rows_a_thread = 4;

/// The rows and columns of a thread; none beyond the last.
template <int outputs>
struct Strip {
  int row, column;
  __device__ __forceinline__ explicit Strip(const Correlation& c) {
    const int packs = c.groups * c.group_out / outputs;
    const int index = thread_index(), strip = index / packs;
    column = index % packs * outputs;
    row = strip < (c.rows + rows_a_thread - 1) / rows_a_thread ? strip * rows_a_thread : c.rows;
  }
  /// Of the strip's row r; of its first one where there is none.
  __device__ __forceinline__ Window window(const u8* images, const Correlation& c, int r) const {
    return {images, c, row + r < c.rows ? row + r : row};
  }
};

/// `whole_words`: group_in is a multiple of 4. `outputs`, 1 or 4, divides group_out.
template <bool src_signed, int outputs, bool whole_words, class Epilogue>
__device__ __forceinline__ void product_of_groups(const u8* __restrict__ images, const unsigned* __restrict__ weights,
                                                  const Correlation& c, Epilogue& epilogue) {
  const Strip<outputs> strip(c);
  if (strip.row >= c.rows) return;
  const int columns = c.groups * c.group_out, words = (c.group_in + 3) / 4;
  const u8* const of_group = images + static_cast<i64>(strip.column / c.group_out) * c.group_in;
  s32 sums[rows_a_thread][outputs] = {};
  Window windows[rows_a_thread];
#pragma unroll
  for (int r = 0; r < rows_a_thread; ++r) windows[r] = strip.window(of_group, c, r);
  const unsigned* of_tap = weights + strip.column;
#pragma unroll 1
  for (int i = 0; i < c.taps[0]; ++i) {
#pragma unroll 1
    for (int j = 0; j < c.taps[1]; ++j) {
      const u8* pixels[rows_a_thread];
#pragma unroll
      for (int r = 0; r < rows_a_thread; ++r) pixels[r] = windows[r].tap(c, i, j);
#pragma unroll 1
      for (int w = 0; w < words; ++w, of_tap += columns) {
        const auto of_columns = *reinterpret_cast<const Pack<unsigned, outputs>*>(of_tap);
#pragma unroll
        for (int r = 0; r < rows_a_thread; ++r) {
          if (pixels[r] == nullptr) continue;
          unsigned bytes = 0;
          if constexpr (whole_words) {
            bytes = *reinterpret_cast<const unsigned*>(pixels[r] + 4 * w);
          } else {
#pragma unroll
            for (int b = 0; b < 4; ++b) {
              if (4 * w + b < c.group_in) bytes |= static_cast<unsigned>(pixels[r][4 * w + b]) << 8 * b;
            }
          }
#pragma unroll
          for (int o = 0; o < outputs; ++o) sums[r][o] = dot4<src_signed>(bytes, of_columns.v[o], sums[r][o]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < rows_a_thread; ++r) {
    if (strip.row + r >= c.rows) break;
    Pack<s32, outputs> pack;
#pragma unroll
    for (int o = 0; o < outputs; ++o) pack.v[o] = sums[r][o];
    epilogue(result_row(c, strip.row + r), strip.column, pack);
  }
}

/// Groups of one channel with one output, in multiples of four: a thread has four of them. Weights are packed as bytes,
/// [tap][column].
template <bool src_signed, class Epilogue>
__device__ __forceinline__ void product_of_channels(const u8* __restrict__ images, const u8* __restrict__ weights,
                                                    const Correlation& c, Epilogue& epilogue) {
  const Strip<4> strip(c);
  if (strip.row >= c.rows) return;
  s32 sums[rows_a_thread][4] = {};
  const u8* const of_channels = images + strip.column;
  Window windows[rows_a_thread];
#pragma unroll
  for (int r = 0; r < rows_a_thread; ++r) windows[r] = strip.window(of_channels, c, r);
  const u8* of_tap = weights + strip.column;
#pragma unroll 1
  for (int i = 0; i < c.taps[0]; ++i) {
#pragma unroll 1
    for (int j = 0; j < c.taps[1]; ++j, of_tap += c.groups) {
      const unsigned four = *reinterpret_cast<const unsigned*>(of_tap);
#pragma unroll
      for (int r = 0; r < rows_a_thread; ++r) {
        const u8* const pixel = windows[r].tap(c, i, j);
        if (pixel == nullptr) continue;
        const unsigned bytes = *reinterpret_cast<const unsigned*>(pixel);
#pragma unroll
        for (int o = 0; o < 4; ++o) sums[r][o] = dot4<src_signed>(bytes, four & 0xffu << 8 * o, sums[r][o]);
      }
    }
  }
#pragma unroll
  for (int r = 0; r < rows_a_thread; ++r) {
    if (strip.row + r >= c.rows) break;
    epilogue(result_row(c, strip.row + r), strip.column, Pack<s32, 4>{{sums[r][0], sums[r][1], sums[r][2], sums[r][3]}});
  }
}

// Packing.

__device__ __forceinline__ s8 weight_of(const s8* weights, const Packing& p, int tap, int channel, int column) {
  if (tap >= p.taps[0] * p.taps[1] || channel >= p.group_in) return 0;
  const int i = tap / p.taps[1], j = tap % p.taps[1], group = column / p.group_out, o = column % p.group_out;
  return weights[p.first + i * p.tap[0] + j * p.tap[1] + channel * p.in + o * p.out + group * p.of_group];
}

/// As [column][depth], by blocks of 256 threads: 64 bytes of depth of 64 columns each, columns in x, depth in y. Both sides of
/// the transposition touch neighbours.
__device__ __forceinline__ void pack_tiles(const s8* __restrict__ weights, s8* __restrict__ to, const Packing& p) {
  constexpr int side = 64, pitch = side + 4;
  __shared__ __align__(4) s8 tile[side * pitch];  // by column
  const int first_column = blockIdx.x * side, first_depth = blockIdx.y * side;
  const bool down = p.in == 1;  // channels are neighbours, not columns
  for (int e = threadIdx.x; e < side * side; e += 256) {
    const int column = down ? e / side : e % side, depth = down ? e % side : e / side, k = first_depth + depth;
    const bool inside = first_column + column < p.columns;
    tile[column * pitch + depth] =
        inside ? weight_of(weights, p, k / p.padded, k % p.padded, first_column + column) : static_cast<s8>(0);
  }
  __syncthreads();
  for (int e = threadIdx.x; e < side * side / 4; e += 256) {
    const int column = e / (side / 4), depth = e % (side / 4) * 4;
    if (first_column + column >= p.columns || first_depth + depth >= p.depth) continue;
    *reinterpret_cast<unsigned*>(to + static_cast<i64>(first_column + column) * p.depth + first_depth + depth) =
        *reinterpret_cast<const unsigned*>(tile + column * pitch + depth);
  }
}

/// As [tap][word of the group][column], a thread a word.
__device__ __forceinline__ void pack_words(const s8* __restrict__ weights, unsigned* __restrict__ to, const Packing& p) {
  const int index = thread_index(), words = p.padded / 4, column = index % p.columns, rest = index / p.columns;
  if (rest >= p.taps[0] * p.taps[1] * words) return;
  unsigned word = 0;
  for (int b = 0; b < 4; ++b) {
    const s8 weight = weight_of(weights, p, rest / words, rest % words * 4 + b, column);
    word |= static_cast<unsigned>(static_cast<u8>(weight)) << 8 * b;
  }
  to[index] = word;
}

/// As [tap][column] where a group is a channel, a thread a byte.
__device__ __forceinline__ void pack_channels(const s8* __restrict__ weights, s8* __restrict__ to, const Packing& p) {
  const int index = thread_index(), tap = index / p.columns;
  if (tap < p.taps[0] * p.taps[1]) to[index] = weight_of(weights, p, tap, 0, index % p.columns);
}

/// Channels of each group, `group_in` of them, padded with zeros to `padded`, a multiple of 4; a thread a word.
__device__ __forceinline__ void pad_channels(const u8* __restrict__ from, unsigned* __restrict__ to, int pixel_groups,
                                             int group_in, int padded) {
  const int index = thread_index(), pixel_group = index / (padded / 4), first = index % (padded / 4) * 4;
  if (pixel_group >= pixel_groups) return;
  unsigned word = 0;
#pragma unroll
  for (int b = 0; b < 4; ++b) {
    if (first + b < group_in)
      word |= static_cast<unsigned>(from[static_cast<i64>(pixel_group) * group_in + first + b]) << 8 * b;
  }
  to[index] = word;
}

__device__ __forceinline__ void fill_zero(s32* to, i64 count) {
  const i64 threads = static_cast<i64>(gridDim.x) * blockDim.x;
  for (i64 i = thread_index(); i < count; i += threads) to[i] = 0;
}

}  // namespace qfw::device
