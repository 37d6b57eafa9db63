#include "qfw/onnx/read.h"

#include <fmt/format.h>

#include <limits>

#include "qfw/error.h"
#include "read_refuse.h"
#include "reader.h"

namespace qfw::onnx {

namespace {

pb::ModelProto parsed(std::span<const std::byte> bytes) {
  pb::ModelProto model;
  const bool fits = bytes.size() <= static_cast<std::size_t>(std::numeric_limits<int>::max());
  if (bytes.empty() || !fits || !model.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    refuse(fmt::format("the {} bytes are no ONNX file, or only a part of one", bytes.size()));
  }
  return model;
}

}  // namespace

FrozenModel read(std::span<const std::byte> bytes, std::int64_t batch) {
  if (batch < 1) fail(Error::Category::usage, "onnx", fmt::format("a batch of {} images", batch));
  const pb::ModelProto model = parsed(bytes);
  return Reader(model, batch).read();
}

std::vector<std::pair<std::string, std::string>> float_initializers(std::span<const std::byte> bytes) {
  pb::ModelProto model = parsed(bytes);
  std::vector<std::pair<std::string, std::string>> all;
  for (pb::TensorProto& tensor : *model.mutable_graph()->mutable_initializer()) {
    if (tensor.data_type() != pb::TensorProto::FLOAT) continue;
    all.emplace_back(tensor.name(), std::move(*tensor.mutable_raw_data()));
  }
  return all;
}

Exporter::Notes metadata(std::span<const std::byte> bytes) {
  const pb::ModelProto model = parsed(bytes);
  Exporter::Notes notes;
  for (const pb::StringStringEntryProto& entry : model.metadata_props()) notes.emplace_back(entry.key(), entry.value());
  return notes;
}

}  // namespace qfw::onnx
