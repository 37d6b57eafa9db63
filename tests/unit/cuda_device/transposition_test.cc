#include "transposition.h"

#include "code.h"
#include "host_code.h"
#include "support.h"

namespace qfw::cuda {
namespace {

/// Transposes numbers 0, 1, ... as the device would.
template <class From, class To>
std::vector<To> transposed(std::int64_t rows, std::int64_t columns, emulated::Schedule schedule) {
  const std::vector<KernelSource> sources{transposition_source(dtype_of<From>::value, dtype_of<To>::value)};
  const auto code = emulated::HostCode::compile(device_headers(), sources);
  std::vector<From> from;
  for (std::int64_t i = 0; i < rows * columns; ++i) from.emplace_back(static_cast<float>(i));
  std::vector<To> to(rows * columns, To(-1.0f));
  const From* in = from.data();
  To* out = to.data();
  void* arguments[]{&in, &out, &rows, &columns};
  emulated::run_grid(code, code.kernel(sources[0].name), transposition_shape(rows, columns), arguments, schedule);
  return to;
}

template <class From, class To>
void check() {
  for (const auto schedule : emulated::schedules) {
    for (const auto& [rows, columns] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 70}, {64, 32}, {33, 5}}) {
      const std::vector<To> to = transposed<From, To>(rows, columns, schedule);
      for (std::int64_t r = 0; r < rows; ++r) {
        for (std::int64_t c = 0; c < columns; ++c) {
          const auto expected = static_cast<float>(From(static_cast<float>(r * columns + c)));
          ASSERT_EQ(static_cast<float>(to[c * rows + r]), expected) << rows << " " << columns << " " << r << " " << c;
        }
      }
    }
  }
}

TEST(Transposition, OfFloats) { check<float, float>(); }
TEST(Transposition, OfBf16) { check<BFloat16, BFloat16>(); }
TEST(Transposition, WidensBf16) { check<BFloat16, float>(); }

}  // namespace
}  // namespace qfw::cuda
