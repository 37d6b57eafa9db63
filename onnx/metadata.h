#pragma once

#include "onnx.pb.h"
#include "qfw/exporter.h"

namespace qfw::onnx {

/// What a frozen model says beside its graph, and the notes, as metadata_props under "qfw.": version, recipe, checkpoint, step,
/// phase; preparation (an object with the fields of image::Preparation), labels (an array), grids (an object: of each integer
/// site's path, the lowest and highest level of its source and of its weights), the last three in JSON. Of two notes of one
/// name, or a note and what is written without one, the later counts.
void add_metadata(pb::ModelProto& file, const FrozenModel& model, const char* form, const Exporter::Promise& promise,
                  const Exporter::Notes& notes);

}  // namespace qfw::onnx
