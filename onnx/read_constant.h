#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "onnx.pb.h"

namespace qfw::onnx {

/// An initializer, checked; or what nodes make of one without an image. Elements of fewer than 8 bits have a byte each.
struct Constant {
  std::string name;   ///< of the initializer
  std::string value;  ///< its own: that, or what a node made of it
  int type = 0;       ///< a TensorProto::DataType
  std::vector<std::int64_t> dims;
  std::vector<std::byte> bytes;

  std::int64_t count() const;
  bool is(int wanted) const { return type == wanted; }
  std::vector<float> floats() const;           ///< throws Error::Category::data for another type
  std::vector<std::int64_t> integers() const;  ///< likewise, of INT64 or INT32
  std::vector<int> codes() const;              ///< likewise, of UINT8, INT8, UINT4, INT4, UINT2, INT2
};

Constant constant_of(const pb::TensorProto& tensor);

}  // namespace qfw::onnx
