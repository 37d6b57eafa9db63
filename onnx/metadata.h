#pragma once

#include <string_view>

#include "onnx.pb.h"
#include "qfw/exporter.h"

namespace qfw::onnx {

inline constexpr std::string_view producer = "qfw", metadata_prefix = "qfw.";

/// What a frozen model says beside its graph, and the notes, as metadata_props under "qfw.": version, recipe, checkpoint, step,
/// phase; preparation (an object with the fields of image::Preparation), labels (an array), grids (an object: of each integer
/// site's path, the lowest and highest level of its source and of its weights), the last three in JSON. Of two notes of one
/// name, or a note and what is written without one, the later counts.
void add_metadata(pb::ModelProto& file, const FrozenModel& model, const char* form, const Exporter::Promise& promise,
                  const Exporter::Notes& notes);
/// Whether metadata of that name (without the prefix) come from the model alone; else they are of the exporter's notes.
bool is_of_model(std::string_view name);

}  // namespace qfw::onnx
