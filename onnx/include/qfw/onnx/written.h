#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "qfw/exporter.h"

namespace qfw::onnx {

/// What a file of write() says of itself, in any form; none: these bytes are something else. Threads: any.
std::optional<Exporter::Written> written(std::span<const std::byte> bytes);

/// The first part in which two files of write() are not equal, by its name in the file; metadata come first. Says nothing of
/// equal ones.
Exporter::Difference difference(std::span<const std::byte> bytes, std::span<const std::byte> other);

}  // namespace qfw::onnx
