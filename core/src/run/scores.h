#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace qfw {

/// Top-1, top-5 and cross entropy of logits against labels, added up example by example in double, in order.
class Scores {
 public:
  /// `logits` is [labels.size(), classes]. An example counts as top-k if fewer than k logits come before its label's: larger
  /// ones, and equal ones of a lower class. A label of -1 marks a row that counts nowhere.
  void add(std::span<const float> logits, std::span<const std::int32_t> labels, std::int64_t classes);

  /// What one example adds: so that they can be judged apart and added up in order.
  struct Example {
    double loss = 0;
    std::int64_t ahead = 0;  ///< logits that come before its label's
    std::int64_t index = 0;  ///< in the split
    double probability = 0;  ///< of the predicted class; the label's is exp(-loss)
    std::int32_t label = 0, predicted = 0;

    bool right() const { return ahead == 0; }
  };
  /// Those of a batch, without the rows that count nowhere; `first` is the number of its first row.
  static std::vector<Example> judge(std::span<const float> logits, std::span<const std::int32_t> labels, std::int64_t classes,
                                    std::int64_t first = 0);
  void add(const Example& example);

  std::int64_t examples() const { return examples_; }
  double top1() const { return ratio(top1_); }
  double top5() const { return ratio(top5_); }
  double loss() const { return examples_ > 0 ? loss_ / static_cast<double>(examples_) : 0; }

 private:
  double ratio(std::int64_t hits) const {
    return examples_ > 0 ? static_cast<double>(hits) / static_cast<double>(examples_) : 0;
  }

  std::int64_t examples_ = 0, top1_ = 0, top5_ = 0;
  double loss_ = 0;
};

}  // namespace qfw
