#pragma once

#include <string>
#include <string_view>

#include "onnx.pb.h"

namespace qfw::onnx {

/// A name that somebody else wrote, no longer than a message bears.
std::string quoted(std::string_view name);

/// "node 'stage1/conv_1' (ConvInteger)".
std::string place_of(const pb::NodeProto& node);

/// Throws Error::Category::data.
[[noreturn]] void refuse(std::string_view what, std::string_view where = {},
                         std::string_view remedy = "`qfw export RUN MODEL.onnx` writes files that can be read back");

}  // namespace qfw::onnx
