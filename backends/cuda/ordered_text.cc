#include <fmt/format.h>

#include "kernel_text.h"

namespace qfw::cuda {

using lowering::Fill;
using lowering::FusedProgram;
using lowering::Pattern;
using Value = FusedProgram::Value;
using Reduction = FusedProgram::Reduction;
using Kind = Reduction::Kind;

namespace {

constexpr unsigned threads = 64;  // a block where each has a result: results are few, multiprocessors many
constexpr std::int64_t few_results = 4096, many_elements = 64;
constexpr std::size_t most_staged = 16;  // shared memory

class OrderedText {
 public:
  OrderedText(const GroupSource& source, std::span<const int> of)
      : program_(source.program),
        of_(of),
        first_(program_.reductions[of[0]]),
        staged_(first_.strides[program_.space.extents.size() - 1] == 0 && first_.results <= few_results &&
                first_.count >= many_elements && of.size() <= most_staged),
        text_(source) {}

  EmittedLaunch run() {
    for (const int r : of_) text_.want(program_.reductions[r].value);
    for (const std::int64_t extent : program_.space.extents) extents_.push_back(text_.extent(extent));
    text_.within_rows(true);
    return staged_ ? staged() : threaded();
  }

 private:
  EmittedLaunch threaded() {
    text_.line("const index result = static_cast<index>(spot.block) * spot.width + spot.x;");
    text_.line("if (result >= ", text_.extent(first_.results), ") return;");
    begin();
    int loops = 0;
    for (std::size_t axis = 0; axis < extents_.size(); ++axis) {
      if (is_kept(axis)) continue;
      if (axis == last_reduced()) text_.line("#pragma unroll 4");  // what is loaded does not wait for sums
      text_.open(fmt::format("for (index a{0} = 0; a{0} < {1}; ++a{0})", axis, extents_[axis]));
      ++loops;
    }
    values();
    for (const int r : of_) add(r, text_.name(program_.reductions[r].value));
    for (; loops > 0; --loops) text_.close();
    end();
    return text_.done(
        {.grid = {static_cast<unsigned>((first_.results + threads - 1) / threads), 1, 1}, .block = {threads, 1, 1}},
        "in order");
  }

  /// A block makes as many elements as it has threads; one of them adds these up.
  EmittedLaunch staged() {
    text_.line("const index result = spot.block;");
    text_.line("const index count = ", text_.extent(first_.count), ";");
    text_.line(fmt::format("__shared__ float staged[{}][{}];", of_.size(), Layout::most_threads));
    begin();
    text_.open("for (index base = 0; base < count; base += spot.width)");
    text_.line("const index own = base + spot.x;");
    text_.open("if (own < count)");
    axes("own", [&](std::size_t axis) { return !is_kept(axis); });
    values();
    for (std::size_t i = 0; i < of_.size(); ++i) {
      text_.line(fmt::format("staged[{}][spot.x] = {};", i, text_.name(program_.reductions[of_[i]].value)));
    }
    text_.close();
    text_.line("__syncthreads();");
    text_.open("if (spot.x == 0)");
    text_.line("const index here = count - base < spot.width ? count - base : spot.width;");
    text_.line("#pragma unroll 4");
    text_.open("for (index k = 0; k < here; ++k)");
    for (std::size_t i = 0; i < of_.size(); ++i) add(of_[i], fmt::format("staged[{}][k]", i));
    text_.close();
    text_.close();
    text_.line("__syncthreads();");
    text_.close();
    text_.line("if (spot.x != 0) return;");
    end();
    return text_.done(
        {.grid = {static_cast<unsigned>(first_.results), 1, 1}, .block = {Layout::most_threads, 1, 1}, .barriers = true},
        "in order, by blocks");
  }

  bool is_kept(std::size_t axis) const { return first_.strides[axis] != 0; }
  std::size_t last_reduced() const {
    std::size_t last = 0;
    for (std::size_t axis = 0; axis < extents_.size(); ++axis) last = is_kept(axis) ? last : axis;
    return last;
  }

  /// Some axes of the number `from`, the last one first.
  template <class Which>
  void axes(const char* from, Which which) {
    text_.line("index rest_of_", from, " = ", from, ";");
    for (std::size_t axis = extents_.size(); axis-- > 0;) {
      if (!which(axis)) continue;
      text_.line(fmt::format("const index a{0} = rest_of_{1} % static_cast<index>({2});", axis, from, extents_[axis]));
      text_.line(fmt::format("rest_of_{} /= static_cast<index>({});", from, extents_[axis]));
    }
  }

  void begin() {
    text_.scalars();
    axes("result", [&](std::size_t axis) { return is_kept(axis); });
    for (const int r : of_) begin(program_.reductions[r], r);
  }
  void end() {
    for (const int r : of_) end(program_.reductions[r], r);
  }

  void begin(const Reduction& reduction, int r) {
    switch (reduction.kind) {
      case Kind::sum:
        return text_.line(fmt::format("double sum{} = 0;", r));
      case Kind::moments:
        text_.line(fmt::format("double sum{0} = 0, squares{0} = 0, count{0} = 0;", r));
        return text_.line(fmt::format("float pivot{} = 0;", r));
      case Kind::max:
        return text_.line(fmt::format("float most{} = -infinity;", r));
      case Kind::min:
        return text_.line(fmt::format("float most{} = infinity;", r));
    }
  }

  std::string offset(const FusedProgram::Load& load) {
    std::string sum;
    const auto add = [&](const std::string& term) { sum += (sum.empty() ? "" : " + ") + term; };
    if (load.pattern == Pattern::dense) {
      sum = "a0";
      for (std::size_t axis = 1; axis < extents_.size(); ++axis) {
        sum = fmt::format("{}{}{} * static_cast<index>({}) + a{}", axis > 1 ? "(" : "", sum, axis > 1 ? ")" : "",
                          extents_[axis], axis);
      }
      return sum;
    }
    for (std::size_t axis = 0; axis < extents_.size(); ++axis) {
      const std::int64_t stride = load.strides[axis];
      if (stride == 1 && axis + 1 == extents_.size()) {
        add(fmt::format("a{}", axis));
      } else if (stride != 0) {
        add(fmt::format("a{} * static_cast<index>({})", axis, text_.extent(stride)));
      }
    }
    return sum.empty() ? "0" : sum;
  }

  void values() {
    for (int v = 0; v < static_cast<int>(program_.values.size()); ++v) {
      const Value& value = program_.values[v];
      if (!text_.wanted(v) || value.fill == Fill::scalar) continue;
      if (value.kind == Value::Kind::load) {
        const FusedProgram::Load& load = program_.loads[value.load];
        text_.line(fmt::format("const {} v{} = value_of(in{}[{}]);", text_.type(v), v, load.input, offset(load)));
      } else {
        text_.compute(v);
      }
    }
  }

  void add(int r, const std::string& x) {
    switch (program_.reductions[r].kind) {
      case Kind::sum:
        return text_.line(fmt::format("sum{} += static_cast<double>({});", r, x));
      case Kind::moments:
        text_.line(fmt::format("if (count{0} == 0) pivot{0} = pivot_of({1});", r, x));
        text_.line(fmt::format("const double apart{0} = static_cast<double>({1}) - static_cast<double>(pivot{0});", r, x));
        text_.line(fmt::format("sum{0} += apart{0};", r));
        text_.line(fmt::format("squares{0} += apart{0} * apart{0};", r));
        return text_.line(fmt::format("count{} += 1;", r));
      case Kind::max:
        return text_.line(fmt::format("most{0} = larger({1}, most{0});", r, x));
      case Kind::min:
        return text_.line(fmt::format("most{0} = smaller({1}, most{0});", r, x));
    }
  }

  void end(const Reduction& reduction, int r) {
    const std::string all = fmt::format("all{}", r);
    switch (reduction.kind) {
      case Kind::sum:
        text_.line(fmt::format("const Sum {}{{sum{}}};", all, r));
        break;
      case Kind::moments:
        text_.line(fmt::format("const Moments {0} = around(pivot{1}, sum{1}, squares{1}, count{1});", all, r));
        break;
      case Kind::max:
        text_.line(fmt::format("const Max {}{{most{}}};", all, r));
        break;
      case Kind::min:
        text_.line(fmt::format("const Min {}{{most{}}};", all, r));
    }
    text_.put_result(reduction, "result", all);
  }

  const FusedProgram& program_;
  std::span<const int> of_;
  const Reduction& first_;  ///< all have its results and strides
  bool staged_;
  KernelText text_;
  std::vector<std::string> extents_;
};

}  // namespace

EmittedLaunch ordered_kernel(const GroupSource& source, std::span<const int> of) { return OrderedText(source, of).run(); }

}  // namespace qfw::cuda
