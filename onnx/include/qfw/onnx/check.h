#pragma once

#include <filesystem>

#include "qfw/onnx/write.h"

namespace qfw::onnx {

/// FOLDER/test_data_set_0/{input_0.pb, output_0.pb}, what a model that write() made with these options is fed and must give, in
/// the layout of ONNX's own tests of backends. `images` are prepared ones, f32 [n, H, W, C], `logits` f32 [n, classes]. Where
/// axis 0 of the model is fixed there is a data set for each of its batches, and what does not fill one is left out; throws
/// Error::Category::usage for fewer images than one batch, and for images that are not made of pixels if those are the input.
void write_check(const FrozenModel& model, const WriteOptions& options, const HostView& images, const HostView& logits,
                 const std::filesystem::path& folder);

}  // namespace qfw::onnx
