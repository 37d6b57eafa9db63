#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qfw/op.h"
#include "qfw/variable.h"

/// The graph as data: what passes, exporters and backends read. Authors of models and quantizers need builder.h only.
namespace qfw {

/// One output of one node.
struct Use {
  int node = -1, output = 0;
  bool operator==(const Use&) const = default;
};

struct Node {
  Op op{};
  std::vector<Use> inputs;
  Attributes attributes;
  std::vector<TensorType> outputs;
  std::string path;  ///< of the layer that added it: for messages, profiles and export

  template <class T>
  const T& as() const {
    return std::get<T>(attributes);
  }
};

struct Input {
  std::string name;
  TensorType type;
  bool replicated = false;  ///< equal on all replicas
};
struct Fetch {
  std::string name;
  Use use;
};

/// A tensor whose value is known when the graph is made, which Op::tensor gives: quantized weights, the factor of a batch
/// normalisation. Nobody changes its bytes, so that graphs and executables share them.
struct ConstantTensor {
  std::string name;  ///< path and role: "stage1/block0/conv_1/weights/codes"
  TensorType type;
  std::shared_ptr<const std::vector<std::byte>> bytes;
};

/// The levels codes may take: low, low + 1, ..., high. All whole, or all halfway between whole numbers (integer arithmetic
/// then uses twice the codes).
struct Grid {
  float low = 0, high = 0;

  bool halves() const { return low != static_cast<float>(static_cast<std::int64_t>(low)); }
  int levels() const { return static_cast<int>(high - low) + 1; }
  bool operator==(const Grid&) const = default;
};

/// What became of a matmul under quantization: for export, cost, `qfw explain`. Nobody needs to find this in the nodes again.
struct QuantizedSite {
  struct Side {
    Use codes, scale;  ///< real = codes / scale; both empty for an operand that stayed a float
    std::optional<Grid> grid;
  };
  std::string path;
  Op op{};                 ///< conv2d or dense
  Conv2d conv;             ///< meaningful if op is conv2d
  TensorType src_type, weights_type, dst_type;
  bool src_signed = true;
  std::string phase;       ///< the quantizer's name for the phase it was asked for
  Side src, weights;
  Use matmul;              ///< the conv2d or dense node
  Use sums;                ///< f32 of the integer sums; else the matmul itself
  Use factor;              ///< what the sums are multiplied by; empty unless integer
  Use product;             ///< the layer's result
  bool integer = false;
  std::string reason;      ///< why not integer
  Use backward;            ///< the integer product of its gradient and its weights; empty: a float one, or none is needed
};

/// How the elements of sums, means and moments are added up. Integer sums are exact in any order.
enum class Summation : std::uint8_t {
  in_order,  ///< in double and in index order, so that every backend gives the same bits
  free,      ///< in f32 or wider and as a backend likes, but the same way every time
};

/// Nodes in topological order. Reading a variable gives its value at the start of the step; updates take effect together
/// at its end. As finished by the passes it has no dead nodes, and assign, straight_through and stop_gradient are gone.
struct Graph {
  std::vector<Node> nodes;
  std::vector<Input> inputs;
  std::vector<Variable> variables;
  std::vector<ConstantTensor> tensors;
  std::vector<std::pair<int, Use>> updates;  ///< variable index, its next value
  std::vector<Fetch> fetches;
  std::vector<QuantizedSite> sites;
  bool training = true;    ///< the mode its layers were built in: batch statistics, or running ones
  bool may_update = true;  ///< whether there may be updates
  Summation summation = Summation::free;

  const TensorType& type(Use use) const { return nodes[use.node].outputs[use.output]; }
};

/// One node a line, for people: `%12 = conv2d(%10, %11) {stride 2x2 ...} -> f32[8, 16, 16, 64]  # stage1/block0/conv_1`.
QFW_API std::string to_string(const Graph& graph);
QFW_API std::string to_string(const Attributes& attributes);

/// Checks order, types against each op's shape rule, slots, constant tensors, updates and fetches. Throws naming op and layer.
QFW_API void verify(const Graph& graph);

}  // namespace qfw
