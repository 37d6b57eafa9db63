#include "moves.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "launch.h"

namespace qfw::cuda {
namespace {

/// Bytes that may be moved at once where so many lie together.
std::size_t unit_of(std::size_t together) { return std::min<std::size_t>(16, together & (~together + 1)); }

const char* code_type(std::size_t unit) {
  switch (unit) {
    case 1:
      return "u8";
    case 2:
      return "unsigned short";
    case 4:
      return "unsigned";
    case 8:
      return "Pack<unsigned, 2>";
    default:
      return "Pack<unsigned, 4>";
  }
}

/// A kernel that moves units of a view, repeating each n times.
KernelSource gather_source(std::size_t unit, int n) {
  return kernel_source(fmt::format("gather_{}_{}", unit, n),
                       fmt::format("const {0}* from, {0}* to, Strided view, int count", code_type(unit)),
                       fmt::format("gather<{}, {}>(from, to, view, count);", code_type(unit), n));
}

struct Axis {
  std::int64_t extent, stride;
};

/// The same elements with as few axes as can be: those of extent 1 left out, and neighbours joined that one stride counts.
std::vector<Axis> joined(std::span<const Axis> axes) {
  std::vector<Axis> result;
  for (const Axis& axis : axes) {
    if (axis.extent == 1) continue;
    if (!result.empty() && result.back().stride == axis.stride * axis.extent) {
      result.back() = {result.back().extent * axis.extent, axis.stride};
    } else {
      result.push_back(axis);
    }
  }
  if (result.empty()) result.push_back({1, 0});
  return result;
}

device::Strided view_of(std::span<const Axis> axes, const std::string& where) {
  device::Strided view{};
  view.rank = static_cast<int>(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) {
    view.extent[i] = as_int(axes[i].extent, "elements along an axis", where);
    view.stride[i] = axes[i].stride;
  }
  return view;
}

std::int64_t product_of(const Shape& shape, int from, int to) {
  return std::accumulate(shape.begin() + from, shape.begin() + to, std::int64_t{1}, std::multiplies<>());
}

}  // namespace

Transpose::Transpose(Loader& loader, const TensorType& from, std::array<int, 2> axes)
    : device_(loader.device()), bytes_(from.bytes()) {
  const auto [first, second] = std::minmax(axes[0], axes[1]);
  const Shape& shape = from.shape;
  const std::string where = "transpose of " + from.str();
  // [outer][rows][middle][columns][inner] -> [outer][columns][middle][rows][inner]
  const std::int64_t outer = product_of(shape, 0, first), rows = first == second ? 1 : shape[first];
  const std::int64_t middle = product_of(shape, std::min(first + 1, second), second), columns = shape[second];
  const std::int64_t inner = product_of(shape, second + 1, shape.rank());
  const std::size_t together = static_cast<std::size_t>(inner) * size_of(from.dtype), unit = unit_of(together);
  const bool moves = middle == 1 ? rows > 1 && columns > 1 : rows > 1 || columns > 1;
  if (bytes_ == 0 || first == second || !moves) {
    implementation_ = "copy";
    return;
  }
  if (together == unit && rows >= 8 && columns >= 8) {
    way_ = Way::tiles;
    rows_ = as_int(rows, "rows", where);
    columns_ = as_int(columns, "columns", where);
    middle_ = as_int(middle, "matrices", where);
    matrices_ = outer * middle;
    // Blocks that are resident at once; where there are more matrices, each takes several.
    const std::int64_t tiles = (rows + 31) / 32 * ((columns + 31) / 32);
    const std::int64_t at_once = std::clamp<std::int64_t>(8LL * device_.properties().multiprocessors / tiles, 1, 65535);
    shape_ = {.grid = {static_cast<unsigned>(as_int(tiles, "tiles", where)),
                       static_cast<unsigned>(std::min<std::int64_t>(matrices_, at_once)), 1},
              .block = {32, 8, 1},
              .barriers = true};
    function_ = loader.ask(kernel_source(
        fmt::format("transpose_{}", unit),
        fmt::format("const {0}* from, {0}* to, int rows, int columns, int middle, long long matrices", code_type(unit)),
        "transpose_tiles(from, to, rows, columns, middle, matrices);"));
    implementation_ = fmt::format("tiles of 32x32 times {} bytes", unit);
  } else {
    way_ = Way::gather;
    const auto units = static_cast<std::int64_t>(together / unit);
    const std::array<Axis, 5> result{{{outer, rows * middle * columns * units},
                                      {columns, units},
                                      {middle, columns * units},
                                      {rows, middle * columns * units},
                                      {units, 1}}};
    view_ = view_of(joined(result), where);
    count_ = as_int(static_cast<std::int64_t>(bytes_ / unit), "units", where);
    shape_ = one_thread_each(count_, where);
    function_ = loader.ask(gather_source(unit, 1));
    implementation_ = fmt::format("{} bytes a thread", unit);
  }
}

void Transpose::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address) {
  switch (way_) {
    case Way::copy:
      if (bytes_ > 0) device_.copy(Stream::compute, outputs[0], inputs[0], bytes_);
      return;
    case Way::tiles:
      return launch(device_, **function_, shape_, inputs[0], outputs[0], rows_, columns_, middle_, matrices_);
    case Way::gather:
      return launch(device_, **function_, shape_, inputs[0], outputs[0], view_, count_);
  }
}

Broadcast::Broadcast(Loader& loader, const TensorType& from, const Shape& to) : device_(loader.device()) {
  const std::string where = "broadcast of " + from.str() + " to " + to.str();
  const std::size_t size = size_of(from.dtype);
  const std::int64_t elements = to.count();
  if (elements == from.shape.count()) {
    copied_ = from.bytes();
    implementation_ = "copy";
    return;
  }
  if (elements == 0) return;
  std::vector<Axis> axes(static_cast<std::size_t>(to.rank()));
  std::int64_t stride = 1;
  for (int axis = to.rank() - 1; axis >= 0; --axis) {
    const int own = axis - (to.rank() - from.shape.rank());
    const std::int64_t extent = own < 0 ? 1 : from.shape[own];
    axes[static_cast<std::size_t>(axis)] = {to[axis], extent == 1 ? 0 : stride};
    stride *= extent;
  }
  axes = joined(axes);
  // What lies together is moved at once: a run of neighbours as larger units, one element that is repeated as a pack of it.
  std::size_t unit = size;
  int n = 1;
  Axis& last = axes.back();
  if (last.stride == 1) {
    unit = unit_of(static_cast<std::size_t>(last.extent) * size);
    const auto joint = static_cast<std::int64_t>(unit / size);
    for (Axis& axis : axes) axis.stride = axis.stride / joint;
    last = {last.extent / joint, 1};
  } else if (last.stride == 0) {
    n = static_cast<int>(unit_of(static_cast<std::size_t>(last.extent) * size) / size);
    last.extent /= n;
  }
  view_ = view_of(axes, where);
  const std::size_t at_once = unit * static_cast<std::size_t>(n);
  count_ = as_int(elements * static_cast<std::int64_t>(size) / static_cast<std::int64_t>(at_once), "units", where);
  shape_ = one_thread_each(count_, where);
  implementation_ = n > 1 ? fmt::format("one of {} bytes, {} times a thread", unit, n) : fmt::format("{} bytes a thread", unit);
  function_ = loader.ask(gather_source(unit, n));
}

void Broadcast::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address) {
  if (function_) {
    launch(device_, **function_, shape_, inputs[0], outputs[0], view_, count_);
  } else if (copied_ > 0) {
    device_.copy(Stream::compute, outputs[0], inputs[0], copied_);
  }
}

}  // namespace qfw::cuda
