#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "qfw/exporter.h"
#include "qfw/frozen_model.h"

namespace qfw::onnx {

/// The network that write() made an exact form of, for `batch` images at a time: a graph that gives the same bits. Throws
/// Error::Category::data, saying what and where, for bytes that are anything else.
FrozenModel read(std::span<const std::byte> bytes, std::int64_t batch);

/// The f32 initializers of any ONNX file, (name, raw bytes), in its order. Throws likewise.
std::vector<std::pair<std::string, std::string>> float_initializers(std::span<const std::byte> bytes);

/// The metadata of any ONNX file, (name, text), in its order. Throws likewise.
Exporter::Notes metadata(std::span<const std::byte> bytes);

}  // namespace qfw::onnx
