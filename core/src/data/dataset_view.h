#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "qfw/dataset.h"

namespace qfw {

/// A data set that is another one but for its get().
class DatasetView : public Dataset {
 public:
  explicit DatasetView(std::unique_ptr<Dataset> inner) : inner_(std::move(inner)) {}

  std::int64_t classes() const override { return inner_->classes(); }
  Shape shape() const override { return inner_->shape(); }
  std::vector<std::string> splits() const override { return inner_->splits(); }
  std::int64_t size(std::string_view split) const override { return inner_->size(split); }
  Identity identity(std::string_view split) const override { return inner_->identity(split); }
  std::vector<std::string> notes(std::string_view split) const override { return inner_->notes(split); }
  std::string class_name(std::int64_t label) const override { return inner_->class_name(label); }
  std::string place(std::string_view split, std::int64_t index) const override { return inner_->place(split, index); }

 protected:
  const Dataset& inner() const { return *inner_; }

 private:
  std::unique_ptr<Dataset> inner_;
};

}  // namespace qfw
