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

constexpr unsigned threads = 64;  // a block: results are few, multiprocessors many

class OrderedText {
 public:
  OrderedText(const GroupSource& source, std::span<const int> of)
      : source_(source), program_(source.program), of_(of), strides_(program_.reductions[of[0]].strides), text_(source) {}

  EmittedLaunch run() {
    const std::int64_t results = program_.reductions[of_[0]].results;
    text_.line("const index result = static_cast<index>(blockIdx.x) * blockDim.x + threadIdx.x;");
    text_.line("if (result >= ", text_.extent(results), ") return;");
    for (const int r : of_) text_.want(program_.reductions[r].value);
    text_.scalars();
    text_.within_rows(true);
    for (const std::int64_t extent : program_.space.extents) extents_.push_back(text_.extent(extent));
    kept_axes();
    for (const int r : of_) begin(program_.reductions[r], r);
    int loops = 0;
    for (std::size_t axis = 0; axis < extents_.size(); ++axis) {
      if (strides_[axis] != 0) continue;
      text_.open(fmt::format("for (index a{0} = 0; a{0} < {1}; ++a{0})", axis, extents_[axis]));
      ++loops;
    }
    element();
    for (; loops > 0; --loops) text_.close();
    for (const int r : of_) end(program_.reductions[r], r);
    return text_.done({.grid = {static_cast<unsigned>((results + threads - 1) / threads), 1, 1}, .block = {threads, 1, 1}});
  }

 private:
  /// The result's own axes, the last one first.
  void kept_axes() {
    text_.line("index rest = result;");
    for (std::size_t axis = extents_.size(); axis-- > 0;) {
      if (strides_[axis] == 0) continue;
      text_.line(fmt::format("const index a{0} = rest % static_cast<index>({1});", axis, extents_[axis]));
      text_.line(fmt::format("rest /= {};", extents_[axis]));
    }
  }

  void begin(const Reduction& reduction, int r) {
    switch (reduction.kind) {
      case Kind::sum:
        return text_.line(fmt::format("double sum{} = 0;", r));
      case Kind::moments:
        return text_.line(fmt::format("double sum{0} = 0, squares{0} = 0, count{0} = 0;\n  float pivot{0} = 0;", r));
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

  void element() {
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
    for (const int r : of_) {
      const std::string x = text_.name(program_.reductions[r].value);
      switch (program_.reductions[r].kind) {
        case Kind::sum:
          text_.line(fmt::format("sum{} += static_cast<double>({});", r, x));
          break;
        case Kind::moments:
          text_.line(fmt::format("if (count{0} == 0) pivot{0} = pivot_of({1});", r, x));
          text_.line(fmt::format("const double apart{0} = static_cast<double>({1}) - static_cast<double>(pivot{0});", r, x));
          text_.line(fmt::format("sum{0} += apart{0};", r));
          text_.line(fmt::format("squares{0} += apart{0} * apart{0};", r));
          text_.line(fmt::format("count{} += 1;", r));
          break;
        case Kind::max:
          text_.line(fmt::format("most{0} = larger({1}, most{0});", r, x));
          break;
        case Kind::min:
          text_.line(fmt::format("most{0} = smaller({1}, most{0});", r, x));
      }
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

  const GroupSource& source_;
  const FusedProgram& program_;
  std::span<const int> of_;
  const lowering::Strides& strides_;
  KernelText text_;
  std::vector<std::string> extents_;
};

}  // namespace

EmittedLaunch ordered_kernel(const GroupSource& source, std::span<const int> of) { return OrderedText(source, of).run(); }

}  // namespace qfw::cuda
