#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/dataset.h"

namespace qfw {

/// Some examples of one split of a data set that outlives this, in its order and evenly over it, so that one sorted by class
/// is met with all of its classes.
class Spread final : public Dataset {
 public:
  Spread(const Dataset& of, std::string_view split, std::int64_t examples)
      : of_(of), split_(split), whole_(of.size(split)), examples_(std::min(examples, whole_)) {}

  std::int64_t classes() const override { return of_.classes(); }
  Shape shape() const override { return of_.shape(); }
  std::vector<std::string> splits() const override { return {split_}; }
  std::int64_t size(std::string_view) const override { return examples_; }
  Example get(std::string_view split, std::int64_t index) const override { return of_.get(split, original(index)); }
  std::string place(std::string_view split, std::int64_t index) const override { return of_.place(split, original(index)); }

 private:
  std::int64_t original(std::int64_t index) const {
    const std::int64_t step = whole_ / examples_, rest = whole_ % examples_;
    return index * step + index * rest / examples_;
  }

  const Dataset& of_;
  std::string split_;
  std::int64_t whole_, examples_;
};

}  // namespace qfw
