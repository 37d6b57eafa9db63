#pragma once

// Elements in another order. What lies together is moved as one unit, a power of two of bytes up to 16.
namespace qfw::device {

/// A view's elements one after the other, `count` of them, each n times; a thread takes one.
template <class Unit, int n>
__device__ __forceinline__ void gather(const Unit* __restrict__ from, Unit* __restrict__ to, const Strided& view, int count) {
  const int index = thread_index();
  if (index >= count) return;
  int rest = index;
  i64 at = 0;
  for (int axis = view.rank - 1; axis > 0; --axis) {
    at += rest % view.extent[axis] * view.stride[axis];
    rest /= view.extent[axis];
  }
  const Unit element = from[at + rest * view.stride[0]];
  Pack<Unit, n> pack;
#pragma unroll
  for (int i = 0; i < n; ++i) pack.v[i] = element;
  reinterpret_cast<Pack<Unit, n>*>(to)[index] = pack;
}

/// Matrices rows x columns, transposed, by way of shared memory, so that neighbours in memory are touched together on both
/// sides: from [outer][rows][middle][columns] to [outer][columns][middle][rows]. By blocks of 32 x 8 threads, 32 x 32 units
/// each; tiles in x, matrices (outer, middle) from y on, every gridDim.y.
template <class Unit>
__device__ __forceinline__ void transpose_tiles(const Unit* __restrict__ from, Unit* __restrict__ to, int rows, int columns,
                                                int middle, i64 matrices) {
  __shared__ Unit tile[32][33];
  const int across = (columns + 31) / 32, row0 = blockIdx.x / across * 32, column0 = blockIdx.x % across * 32;
  for (i64 matrix = blockIdx.y; matrix < matrices; matrix += gridDim.y) {
    const i64 outer = matrix / middle * middle * rows * columns, of_middle = matrix % middle;
    const Unit* const source = from + outer + of_middle * columns;
    Unit* const target = to + outer + of_middle * rows;
    const int x = threadIdx.x, y0 = threadIdx.y;
#pragma unroll
    for (int y = y0; y < 32; y += 8) {
      if (row0 + y < rows && column0 + x < columns)
        tile[y][x] = source[static_cast<i64>(row0 + y) * middle * columns + column0 + x];
    }
    __syncthreads();
#pragma unroll
    for (int y = y0; y < 32; y += 8) {
      if (column0 + y < columns && row0 + x < rows)
        target[static_cast<i64>(column0 + y) * middle * rows + row0 + x] = tile[x][y];
    }
    __syncthreads();
  }
}

}  // namespace qfw::device
