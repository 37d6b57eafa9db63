#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "onnx.pb.h"
#include "qfw/graph.h"
#include "qfw/preparation.h"

namespace qfw::onnx {

/// What a file of qfw's says beside its network, checked.
struct Metadata {
  std::string form, guarantee, version, recipe, checkpoint, phase;
  std::int64_t step = 0;
  std::optional<image::Preparation> preparation;
  std::vector<std::string> labels;
  std::map<std::string, std::pair<Grid, Grid>> grids;  ///< by site: of src, of weights
};

/// Throws Error::Category::data, naming the entry.
Metadata metadata_of(const pb::ModelProto& model);

}  // namespace qfw::onnx
