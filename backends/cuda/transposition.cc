#include "transposition.h"

#include <fmt/format.h>

namespace qfw::cuda {
namespace {

constexpr std::int64_t edge = 32;  // of the square that a block takes through shared memory

const char* type_of(DType dtype) { return dtype == DType::f32 ? "float" : name_of(dtype); }

}  // namespace

KernelSource transposition_source(DType from, DType to) {
  const std::string name = fmt::format("qfw_transpose_{}_{}", name_of(from), name_of(to));
  return {name, fmt::format(R"(extern "C" __global__ void {0}(const {1}* from, {2}* to, i64 rows, i64 columns) {{
  __shared__ {1} square[32][33];
  const i64 row = blockIdx.y * 32ll, column = blockIdx.x * 32ll;
  for (int y = threadIdx.y; y < 32; y += 8) {{
    if (row + y < rows && column + threadIdx.x < columns) {{
      square[y][threadIdx.x] = from[(row + y) * columns + column + threadIdx.x];
    }}
  }}
  __syncthreads();
  for (int y = threadIdx.y; y < 32; y += 8) {{
    if (column + y < columns && row + threadIdx.x < rows) {{
      to[(column + y) * rows + row + threadIdx.x] = {3}(square[threadIdx.x][y]);
    }}
  }}
}}
)",
                            name, type_of(from), type_of(to), from == to ? "" : "widen")};
}

LaunchShape transposition_shape(std::int64_t rows, std::int64_t columns) {
  return {.grid = {static_cast<unsigned>((columns + edge - 1) / edge), static_cast<unsigned>((rows + edge - 1) / edge), 1},
          .block = {32, 8, 1},
          .barriers = true};
}

}  // namespace qfw::cuda
