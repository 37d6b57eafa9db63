#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "kernel_text.h"

namespace qfw::cuda {

using lowering::Fill;
using lowering::FusedProgram;
using lowering::Pattern;
using Value = FusedProgram::Value;
using Reduction = FusedProgram::Reduction;
using Kind = Reduction::Kind;

namespace {

constexpr int joined_at_once = 4;  // columns: shared memory

class WalkingText {
 public:
  WalkingText(const GroupSource& source, std::span<const std::int64_t> scratch_at)
      : source_(source), program_(source.program), layout_(source.layout), scratch_at_(scratch_at), text_(source) {
    for (int r = 0; r < static_cast<int>(program_.reductions.size()); ++r) {
      if (layout_.by_tree[r]) trees_.push_back(r);
    }
    for (const auto& store : program_.stores) text_.want(store.value);
    for (const int r : trees_) text_.want(program_.reductions[r].value);
    sums_ = std::ranges::any_of(trees_, [&](int r) { return adds(r); });
    moments_ = std::ranges::any_of(trees_, [&](int r) { return program_.reductions[r].kind == Kind::moments; });
  }

  EmittedLaunch run() {
    place();
    text_.scalars();
    rows_for_all();
    for (const int r : trees_) begin(r);
    walk();
    if (!trees_.empty()) results();
    return text_.done({.grid = {static_cast<unsigned>(layout_.blocks()), 1, 1},
                       .block = {layout_.block_x, layout_.block_y, 1},
                       .barriers = !trees_.empty()},
                      fmt::format("{} columns x {} rows a thread", layout_.vector, layout_.unroll));
  }

 private:
  const Reduction& reduction(int r) const { return program_.reductions[r]; }
  bool adds(int r) const { return reduction(r).kind == Kind::sum || reduction(r).kind == Kind::moments; }
  bool by_column(int r) const { return is_by_column(program_, reduction(r)); }
  bool kept(int r) const { return reduction(r).pattern == Pattern::strided; }
  int value_count() const { return static_cast<int>(program_.values.size()); }

  template <class... Parts>
  void each_column(const Parts&... statement) {
    text_.line("#pragma unroll");
    text_.line("for (int e = 0; e < V; ++e) ", statement...);
  }

  // ---- where the thread works ------------------------------------------------------------------------------------------
  void place() {
    text_.line(fmt::format("constexpr int V = {}, U = {};", layout_.vector, layout_.unroll));
    text_.line("const index cols = ", text_.extent(layout_.cols), ";");
    if (layout_.flat) text_.line("const index count = ", text_.extent(program_.space.count()), ";");
    text_.line("const index column_blocks = ", text_.extent(layout_.column_blocks),
               ", column_block = spot.block % column_blocks;");
    text_.line("const index part = spot.block / column_blocks, pieces = ", text_.extent(layout_.pieces),
               ", outer = part / pieces;");
    text_.line("const index inner = ", text_.extent(layout_.inner), ", height = ", text_.extent(layout_.height), ";");
    text_.line("const index own = (column_block * spot.width + spot.x) * V;");
    // Threads that the block does not have take part in its barriers (member_spot).
    text_.line("const bool inside = own < cols", trees_.empty() ? ";" : " && spot.y < spot.height;");
    text_.line("const index column = inside ? own : 0;");
    text_.line("const index first = outer * inner + part % pieces * height, end = outer * inner + inner;");
    text_.line("const index start = first + spot.y;");
    text_.line("const index last = !inside ? 0 : first + height < end ? first + height : end;");
  }

  /// Loaded and computed once by each thread.
  void rows_for_all() {
    std::string arrays;
    for (int v = 0; v < value_count(); ++v) {
      const Value& value = program_.values[v];
      if (!text_.wanted(v) || value.fill != Fill::row) continue;
      text_.line(fmt::format("{} r{}[V];", text_.type(v), v));
      arrays += ' ';
      if (value.kind == Value::Kind::load) {
        text_.line(fmt::format("const auto l{} = pack_at<V>(in{} + column);", v, program_.loads[value.load].input));
      }
    }
    if (arrays.empty()) return;
    text_.line("#pragma unroll");
    text_.open("for (int e = 0; e < V; ++e)");
    text_.within_rows(true);
    for (int v = 0; v < value_count(); ++v) {
      const Value& value = program_.values[v];
      if (!text_.wanted(v) || value.fill != Fill::row) continue;
      if (value.kind == Value::Kind::load) {
        text_.line(fmt::format("const {} v{} = value_of(l{}.v[e]);", text_.type(v), v, v));
      } else {
        text_.compute(v);
      }
      text_.line(fmt::format("r{}[e] = v{};", v, v));
    }
    text_.within_rows(false);
    text_.close();
  }

  // ---- rows --------------------------------------------------------------------------------------------------------------
  void walk() {
    if (!sums_) {
      text_.open("for (index row = start; row < last; row += U * spot.height)");
      some_rows();
      text_.close();
      return;
    }
    text_.open(fmt::format("for (index block = start; block < last; block += {} * spot.height)", Layout::block_rows));
    for (const int r : trees_) begin_block(r);
    text_.line("#pragma unroll 1");
    text_.open(fmt::format("for (unsigned k = 0; k < {}; k += U)", Layout::block_rows));
    text_.line("const index row = block + k * spot.height;");
    some_rows();
    text_.close();
    for (const int r : trees_) end_block(r);
    text_.close();
  }

  /// U rows from `row` on: all operands are asked for before any is waited for.
  void some_rows() {
    const auto each_row = [&] {
      text_.line("#pragma unroll");
      text_.open("for (int u = 0; u < U; ++u)");
      text_.line("const index at_row = row + u * spot.height, at = at_row * cols + column;");
      text_.open("if (at_row < last", layout_.flat ? " && at < count" : "", ")");
    };
    const auto end_row = [&] {
      text_.close();
      text_.close();
    };
    bool loads = false;
    for (int v = 0; v < value_count(); ++v) {
      if (!is_loaded(v)) continue;
      loads = true;
      const FusedProgram::Load& load = program_.loads[program_.values[v].load];
      const std::string type = device_type(load.dtype);
      text_.line(is_one_a_row(load) ? type : "Pack<" + type + ", V>", fmt::format(" l{}[U];", v));
    }
    if (loads) {
      each_row();
      axes();
      for (int v = 0; v < value_count(); ++v) {
        if (is_loaded(v)) load(v);
      }
      end_row();
    }
    each_row();
    if (moments_) text_.line("const bool fresh = u == 0 && at_row == start;");
    for (std::size_t i = 0; i < program_.stores.size(); ++i) {
      text_.line(fmt::format("Pack<{}, V> t{};", device_type(program_.stores[i].dtype), i));
    }
    text_.line("#pragma unroll");
    text_.open("for (int e = 0; e < V; ++e)");
    elements();
    text_.close();
    for (std::size_t i = 0; i < program_.stores.size(); ++i) {
      text_.line(fmt::format("put_at(out{} + at, t{});", program_.stores[i].output, i));
    }
    if (moments_) text_.line("++taken;");
    end_row();
  }

  bool is_loaded(int v) const {
    return text_.wanted(v) && program_.values[v].kind == Value::Kind::load && program_.values[v].fill == Fill::full;
  }
  std::size_t last_axis() const { return program_.space.extents.size() - 1; }
  bool is_one_a_row(const FusedProgram::Load& load) const {
    return load.pattern == Pattern::strided && load.strides[last_axis()] == 0;
  }
  bool is_aligned(const FusedProgram::Load& load) const {
    if (load.strides[last_axis()] != 1) return false;
    return std::all_of(load.strides.begin(), load.strides.begin() + static_cast<std::ptrdiff_t>(last_axis()),
                       [&](std::int64_t stride) { return stride % layout_.vector == 0; });
  }

  /// The row by axes, as far as strided operands want to know.
  void axes() {
    std::size_t outermost = last_axis();
    for (int v = 0; v < value_count(); ++v) {
      if (!is_loaded(v)) continue;
      const FusedProgram::Load& load = program_.loads[program_.values[v].load];
      if (load.pattern != Pattern::strided) continue;
      for (std::size_t axis = 0; axis < outermost; ++axis) {
        if (load.strides[axis] != 0) outermost = axis;
      }
    }
    std::string rest = "at_row";
    for (std::size_t axis = last_axis(); axis-- > outermost;) {
      if (axis == 0) {
        text_.line(fmt::format("const index a0 = {};", rest));
        break;
      }
      const std::int64_t extent = program_.space.extents[axis];
      text_.line(
          fmt::format("const index q{} = quotient({}, {});", axis, rest, text_.extent(divisor_of(extent, layout_.wide))));
      text_.line(fmt::format("const index a{0} = {1} - q{0} * static_cast<index>({2});", axis, rest, text_.extent(extent)));
      rest = fmt::format("q{}", axis);
    }
  }

  void load(int v) {
    const FusedProgram::Load& load = program_.loads[program_.values[v].load];
    if (load.pattern == Pattern::dense) return text_.line(fmt::format("l{}[u] = pack_at<V>(in{} + at);", v, load.input));
    std::string offset;
    for (std::size_t axis = 0; axis < last_axis(); ++axis) {
      if (load.strides[axis] == 0) continue;
      offset += fmt::format("a{} * static_cast<index>({}) + ", axis, text_.extent(load.strides[axis]));
    }
    const std::int64_t stride = load.strides[last_axis()];
    const std::string from = fmt::format("in{} + ({}", load.input, offset);
    if (stride == 0) return text_.line(fmt::format("l{}[u] = *({}0));", v, from));
    if (is_aligned(load)) return text_.line(fmt::format("l{}[u] = pack_at<V>({}column));", v, from));
    const std::string step = stride == 1 ? "1" : text_.extent(stride);
    text_.line(
        fmt::format("l{0}[u] = gathered<V>({1}column * static_cast<index>({2})), static_cast<index>({2}));", v, from, step));
  }

  void elements() {
    for (int v = 0; v < value_count(); ++v) {
      const Value& value = program_.values[v];
      if (!text_.wanted(v) || value.fill != Fill::full) continue;
      if (value.kind == Value::Kind::load) {
        const bool one = is_one_a_row(program_.loads[value.load]);
        text_.line(fmt::format("const {} v{} = value_of(l{}[u]{});", text_.type(v), v, v, one ? "" : ".v[e]"));
      } else {
        text_.compute(v);
      }
    }
    for (std::size_t i = 0; i < program_.stores.size(); ++i) {
      text_.line(fmt::format("put(t{}.v[e], {});", i, text_.name(program_.stores[i].value)));
    }
    for (const int r : trees_) add(r);
  }

  // ---- what a thread reduces ---------------------------------------------------------------------------------------------
  // Of reduction 1: extremes m1, by column. Sums b1 of a block of rows in f32, by column; in double sum1, by column where the
  // result is. Of moments the pivot p1, and c1 and square1 of squares.
  void begin(int r) {
    const bool columns = by_column(r);
    switch (reduction(r).kind) {
      case Kind::max:
      case Kind::min:
        text_.line(fmt::format("float m{}[V];", r));
        return each_column(fmt::format("m{}[e] = {}infinity;", r, reduction(r).kind == Kind::max ? "-" : ""));
      case Kind::sum:
        return text_.line(fmt::format("double sum{}{} = {{}};", r, columns ? "[V]" : ""));
      case Kind::moments:
        text_.line(fmt::format("float p{}{} = {{}};", r, columns ? "[V]" : ""));
        text_.line(fmt::format("double sum{0}{1} = {{}}, square{0}{1} = {{}};", r, columns ? "[V]" : ""));
        if (std::exchange(counts_, true)) return;
        return text_.line("unsigned taken = 0;");
    }
  }

  void begin_block(int r) {
    if (!adds(r)) return;
    text_.line(fmt::format("float b{}[V] = {{}};", r));
    if (reduction(r).kind == Kind::moments) text_.line(fmt::format("float c{}[V] = {{}};", r));
  }

  void end_block(int r) {
    if (!adds(r)) return;
    const char* e = by_column(r) ? "[e]" : "";
    each_column(fmt::format("sum{0}{1} += static_cast<double>(b{0}[e]);", r, e));
    if (reduction(r).kind == Kind::moments) each_column(fmt::format("square{0}{1} += static_cast<double>(c{0}[e]);", r, e));
  }

  void add(int r) {
    const std::string x = text_.name(reduction(r).value);
    switch (reduction(r).kind) {
      case Kind::max:
        return text_.line(fmt::format("m{0}[e] = larger({1}, m{0}[e]);", r, x));
      case Kind::min:
        return text_.line(fmt::format("m{0}[e] = smaller({1}, m{0}[e]);", r, x));
      case Kind::sum:
        return text_.line(fmt::format("b{}[e] += {};", r, x));
      case Kind::moments: {
        const bool columns = by_column(r);
        const std::string pivot = fmt::format("p{}{}", r, columns ? "[e]" : "");
        text_.line(fmt::format("if (fresh{}) {} = pivot_of({});", columns ? "" : " && e == 0", pivot, x));
        text_.line(fmt::format("const float apart{} = {} - {};", r, x, pivot));
        text_.line(fmt::format("b{0}[e] += apart{0};", r));
        text_.line(fmt::format("c{0}[e] += apart{0} * apart{0};", r));
      }
    }
  }

  // ---- what the block's threads join ---------------------------------------------------------------------------------------
  std::string one(int r, const char* e) const {
    const std::string type = accumulator_of(reduction(r).kind).type;
    switch (reduction(r).kind) {
      case Kind::max:
      case Kind::min:
        return fmt::format("{}{{m{}{}}}", type, r, e);
      case Kind::sum:
        return fmt::format("{}{{sum{}{}}}", type, r, e);
      case Kind::moments:
        return fmt::format("around(p{0}{1}, sum{0}{1}, square{0}{1}, taken{2})", r, e, by_column(r) ? "" : " * V");
    }
    return {};
  }

  void results() {
    std::int64_t doubles = 0;
    bool whole = true;
    for (const int r : trees_) {
      const int columns = by_column(r) ? std::min(layout_.vector, joined_at_once) : 1;
      doubles = std::max(doubles, columns * accumulator_of(reduction(r).kind).doubles);
      whole = whole && partials_of(program_, layout_, reduction(r)).count == 1;
    }
    text_.line(fmt::format("__shared__ double shared[{}];", doubles * Layout::most_threads));
    text_.line("const bool whole = ", text_.extent(whole), " != 0;");
    for (const int r : trees_) {
      text_.scope();
      if (by_column(r)) {
        columns_result(r);
      } else {
        single_result(r);
      }
      text_.close();
    }
  }

  void put(int r, const std::string& result, const std::string& part, const char* from) {
    const Accumulator accumulator = accumulator_of(reduction(r).kind);
    text_.open("if (whole)");
    text_.line("const index result = ", result, ";");
    text_.put_result(reduction(r), "result", from);
    text_.otherwise();
    text_.line(fmt::format("reinterpret_cast<{}*>(scratch + {})[{}] = {};", accumulator.type, text_.extent(scratch_at_[r]),
                           part, from));
    text_.close();
  }

  void columns_result(int r) {
    const Accumulator accumulator = accumulator_of(reduction(r).kind);
    const int at_once = std::min(layout_.vector, joined_at_once);
    text_.line(accumulator.type, " all[V];");
    each_column("all[e] = ", one(r, "[e]"), ";");
    for (int from = 0; from < layout_.vector; from += at_once) {
      text_.line(fmt::format("join_threads<{}, {}>(all + {}, shared, spot.x, spot.y, spot.width, spot.height);",
                             accumulator.type, at_once, from));
    }
    text_.open("if (spot.y == 0 && inside)");
    text_.line("#pragma unroll");
    text_.open("for (int e = 0; e < V; ++e)");
    put(r, kept(r) ? "outer * cols + column + e" : "column + e", "part * cols + column + e", "all[e]");
    text_.close();
    text_.close();
  }

  void single_result(int r) {
    const Accumulator accumulator = accumulator_of(reduction(r).kind);
    if (adds(r)) {
      text_.line(accumulator.type, " all = ", one(r, ""), ";");
    } else {
      text_.line(accumulator.type, " all = ", one(r, "[0]"), ";");
      text_.line("#pragma unroll");
      text_.line("for (int e = 1; e < V; ++e) all = joined(all, ", one(r, "[e]"), ");");
    }
    text_.line(fmt::format("join_threads<{}, 1>(&all, shared, 0, spot.y * spot.width + spot.x, 1, spot.width * spot.height);",
                           accumulator.type));
    text_.open("if (spot.x == 0 && spot.y == 0)");
    put(r, kept(r) ? "outer" : "0", "spot.block", "all");
    text_.close();
  }

  const GroupSource& source_;
  const FusedProgram& program_;
  const Layout& layout_;
  std::span<const std::int64_t> scratch_at_;
  KernelText text_;
  std::vector<int> trees_;
  bool sums_ = false, moments_ = false, counts_ = false;
};

}  // namespace

EmittedLaunch walking_kernel(const GroupSource& source, std::span<const std::int64_t> scratch_at) {
  return WalkingText(source, scratch_at).run();
}

}  // namespace qfw::cuda
