#pragma once

#include <span>
#include <string>
#include <vector>

#include "kernel_text.h"

namespace qfw::cuda {

/// What kernels that walk down rows are written from. A thread owns V columns from `column` on, all `inside` or none, of rows
/// of `cols` elements each, and takes U rows at a time.
class RowsText {
 public:
  /// How the threads of a block stand: (x, y) of width x height, columns by x, rows by y; and which block it is.
  struct Threads {
    const char *x, *y, *width, *height, *block;
  };
  /// U rows from `row` on, `height` apart: which there are, as a condition on `at_row`, and which one is the first that the
  /// thread ever takes.
  struct Walk {
    std::string is_there, is_first;
    std::string carried{};  ///< where a row's elements of the operand lie that is not in memory
  };

  /// Values are wanted of `text`. `carried` elements are those of the source (GroupSource).
  RowsText(const GroupSource& source, const Threads& threads, std::span<const std::int64_t> scratch_at, KernelText& text);

  bool reduces() const { return !trees_.empty(); }
  bool adds() const { return sums_; }

  /// Values that are one row for all rows, loaded and computed once by each thread.
  void rows_for_all();
  void some_rows(const Walk& walk);

  /// Declares what a thread reduces to.
  void begin();
  /// Around rows that are added up in f32.
  void begin_block();
  void end_block();
  /// Joins what the block's threads have: the results or, of several blocks, partial ones. `shared` has place for
  /// shared_doubles().
  void results();
  std::int64_t shared_doubles() const;

 private:
  using Reduction = lowering::FusedProgram::Reduction;

  const Reduction& reduction(int r) const { return program_.reductions[r]; }
  bool adds(int r) const;
  bool by_column(int r) const { return is_by_column(program_, reduction(r)); }
  bool kept(int r) const { return reduction(r).pattern == lowering::Pattern::strided; }
  int value_count() const { return static_cast<int>(program_.values.size()); }
  template <class... Parts>
  void each_column(const Parts&... statement);

  bool is_loaded(int v) const;
  bool is_carried(int v) const;
  std::size_t last_axis() const { return program_.space.extents.size() - 1; }
  bool is_one_a_row(const lowering::FusedProgram::Load& load) const;
  bool is_aligned(const lowering::FusedProgram::Load& load) const;
  void axes();
  void load(int v);
  void elements();

  void begin(int r);
  void begin_block(int r);
  void end_block(int r);
  void add(int r);
  std::string one(int r, const char* e) const;
  void put(int r, const std::string& result, const std::string& part, const char* from);
  void columns_result(int r);
  void single_result(int r);

  const GroupSource& source_;
  const lowering::FusedProgram& program_;
  const Layout& layout_;
  Threads threads_;
  std::span<const std::int64_t> scratch_at_;
  KernelText& text_;
  std::vector<int> trees_;
  bool sums_ = false, moments_ = false, counts_ = false;
};

}  // namespace qfw::cuda
