#include "read_refuse.h"

#include <fmt/format.h>

#include "qfw/error.h"

namespace qfw::onnx {

std::string quoted(std::string_view name) {
  constexpr std::size_t most = 120;
  if (name.size() <= most) return fmt::format("'{}'", name);
  return fmt::format("'{}...'", name.substr(0, most));
}

std::string place_of(const pb::NodeProto& node) {
  const std::string& name = node.name().empty() && node.output_size() > 0 ? node.output(0) : node.name();
  return fmt::format("node {} ({})", quoted(name), quoted(node.op_type()));
}

void refuse(std::string_view what, std::string_view where, std::string_view remedy) {
  fail(Error::Category::data, "onnx", what, where, remedy);
}

}  // namespace qfw::onnx
