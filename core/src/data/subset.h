#pragma once

#include <map>

#include "data/dataset_view.h"

namespace qfw {

/// Some examples of each split, by number. A split that nothing is said of stays whole.
class Subset final : public DatasetView {
 public:
  using Chosen = std::map<std::string, std::vector<std::int64_t>, std::less<>>;
  Subset(std::unique_ptr<Dataset> inner, Chosen chosen) : DatasetView(std::move(inner)), chosen_(std::move(chosen)) {}

  std::int64_t size(std::string_view split) const override {
    const auto found = chosen_.find(split);
    return found == chosen_.end() ? inner().size(split) : static_cast<std::int64_t>(found->second.size());
  }
  Example get(std::string_view split, std::int64_t index) const override { return inner().get(split, original(split, index)); }
  std::string place(std::string_view split, std::int64_t index) const override {
    return inner().place(split, original(split, index));
  }

 private:
  std::int64_t original(std::string_view split, std::int64_t index) const {
    const auto found = chosen_.find(split);
    return found == chosen_.end() ? index : found->second.at(static_cast<std::size_t>(index));
  }

  Chosen chosen_;
};

}  // namespace qfw
