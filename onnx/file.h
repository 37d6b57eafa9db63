#pragma once

#include <cstdint>
#include <initializer_list>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "onnx.pb.h"
#include "qfw/tensor.h"

namespace qfw::onnx {

using Dims = std::vector<std::int64_t>;

/// The network of an ONNX file under construction: nodes in topological order, initializers, each value under a name of its
/// own.
class File {
 public:
  struct Attribute {
    const char* name;
    std::variant<std::int64_t, Dims> value;
  };

  /// `wanted`, or that with a number behind it where the name is taken.
  std::string unique(std::string_view wanted);

  /// A node with one output, which is `unique(wanted)`; gives that name.
  std::string add(const char* op, std::initializer_list<std::string_view> inputs, std::string_view wanted,
                  std::initializer_list<Attribute> attributes = {});
  /// Its attributes, once it is added.
  void attribute(const Attribute& attribute);

  /// A constant of `dims` under `unique(wanted)`, its elements as bytes in index order.
  std::string initializer(std::string_view wanted, pb::TensorProto::DataType type, const Dims& dims, std::string bytes);
  std::string initializer(std::string_view wanted, const Dims& dims, std::span<const float> values);
  /// The same one for equal arguments: shapes, axes, zero points.
  std::string scalar(float value);
  std::string integers(const Dims& values);    ///< s64 [values.size()]
  std::string axis(std::int64_t value);        ///< s64 []
  std::string code(std::uint8_t value);        ///< u8 []
  std::string signed_code(std::int8_t value);  ///< s8 []

  void input(const std::string& name, pb::TensorProto::DataType type, std::int64_t batch, const Dims& rest);
  void output(const std::string& name, pb::TensorProto::DataType type, std::int64_t batch, const Dims& rest);

  pb::GraphProto& graph() { return graph_; }

 private:
  /// A constant that is made when it is first asked for.
  std::string shared(const std::string& name, pb::TensorProto::DataType type, const Dims& dims, std::string bytes);

  pb::GraphProto graph_;
  std::set<std::string, std::less<>> names_, shared_;
};

template <class T>
std::string bytes_of(std::span<const T> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

}  // namespace qfw::onnx
