#pragma once

#include "data/dataset_view.h"

namespace qfw {

/// Every image decoded to three channels of 8 bits. In one of two ways: `square`, resized to side x side; else made smaller,
/// where its shorter side is more than `side`, with its proportions kept. Bicubic, rounded to the nearest level.
class Resized final : public DatasetView {
 public:
  enum class Fit { square, shorter_side };
  Resized(std::unique_ptr<Dataset> inner, int side, Fit fit) : DatasetView(std::move(inner)), side_(side), fit_(fit) {}

  Shape shape() const override { return fit_ == Fit::square ? Shape{side_, side_, 3} : Shape{}; }
  Example get(std::string_view split, std::int64_t index) const override;

 private:
  int side_;
  Fit fit_;
};

}  // namespace qfw
