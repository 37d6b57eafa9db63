#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "emit.h"
#include "layout.h"
#include "qfw/lowering/program.h"

namespace qfw::cuda {

/// What the kernels of one group are written from.
struct GroupSource {
  const lowering::FusedProgram& program;
  const Layout& layout;
  std::span<const DType> inputs, outputs;
  int carried = -1;  ///< an input that is not in memory: the sums of the tile that the group rides on
  Form form = Form::alone;
};

/// The three kinds of kernel that a group may have, started in this order.

/// Reductions `of` equal strides, one thread for each result, in index order.
EmittedLaunch ordered_kernel(const GroupSource& source, std::span<const int> of);
/// What is stored, and the partial results of reductions by tree: from `scratch_at` on, in doubles, for each reduction. If each
/// has but one, that is the result.
EmittedLaunch walking_kernel(const GroupSource& source, std::span<const std::int64_t> scratch_at);
/// The results of these.
EmittedLaunch joining_kernel(const GroupSource& source, std::span<const std::int64_t> scratch_at);

/// How a reduction is written.
struct Accumulator {
  const char* type;     ///< in code/fused.cuh
  const char* nothing;  ///< of which, joined to others, nothing is seen
  std::int64_t doubles;
};
Accumulator accumulator_of(lowering::FusedProgram::Reduction::Kind kind);

/// A kernel in the making. Values of a program are called k1 (one number for all), r1 (an array by column: one row for all),
/// v1.
class KernelText {
 public:
  explicit KernelText(const GroupSource& source);

  /// A place among the extents that the kernel is started with, as an expression.
  std::string extent(std::int64_t value);

  template <class... Parts>
  void line(const Parts&... parts) {
    text_.append(2 * depth_, ' ');
    (text_.append(std::string_view(parts)), ...);
    text_ += '\n';
  }
  /// A line that ends with `{`, and what closes it.
  template <class... Parts>
  void open(const Parts&... parts) {
    line(parts..., " {");
    ++depth_;
  }
  void scope() {
    line("{");
    ++depth_;
  }
  void close() {
    --depth_;
    line("}");
  }
  void otherwise() {
    --depth_;
    line("} else {");
    ++depth_;
  }

  /// Values that `value` is made from are wanted as well.
  void want(int value);
  bool wanted(int value) const { return wanted_[static_cast<std::size_t>(value)]; }
  /// Declares what is the same for all elements.
  void scalars();
  /// `const float v5 = op::add(v3, k1);` for a computed value, its operands by their names.
  void compute(int value);
  /// How code for element `e` of a row reads a value.
  std::string name(int value) const;
  /// While a row for all rows is computed it is called as others are.
  void within_rows(bool within) { within_rows_ = within; }
  const char* type(int value) const;
  /// Element `at` of the result, from the variable `from`.
  void put_result(const lowering::FusedProgram::Reduction& reduction, std::string_view at, std::string_view from);

  /// Named by its text. `way` is how it goes about it, for people. What it takes besides, before all else, as parameters that
  /// each end with a comma; `kind` begins its name.
  EmittedLaunch done(const LaunchShape& shape, std::string_view way, const char* kind = "group",
                     const std::string& besides = {}, int threads = Layout::most_threads);

 private:
  std::string scalar_name(int value) const;
  std::string parameters(const std::string& besides) const;
  std::string members(bool barriers) const;
  std::string about(std::string_view way) const;

  const GroupSource& source_;
  std::vector<bool> wanted_;
  bool within_rows_ = false;
  std::string text_;
  std::size_t depth_ = 1;
  std::vector<std::int64_t> extents_;
};

const char* device_type(DType dtype);

}  // namespace qfw::cuda
