#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/bounds.h"
#include "qfw/graph.h"

namespace qfw::onnx {

/// An evaluation graph under construction from somebody else's bytes: types follow from the ops' rules, sizes are limited.
class GraphMaker {
 public:
  GraphMaker();
  GraphMaker(const GraphMaker&) = delete;
  GraphMaker& operator=(const GraphMaker&) = delete;

  /// Throws Error::Category::data for what the op does not take, and for values that are too large.
  Use add(Op op, std::vector<Use> inputs, Attributes attributes, std::string_view path);
  Use input(std::string name, TensorType type);
  Use number(double value);  ///< f32 []
  Use tensor(std::string name, TensorType type, std::vector<std::byte> bytes, std::string_view path);

  const Graph& graph() const { return graph_; }
  const TensorType& type(Use use) const { return graph_.type(use); }
  const Node& node(Use use) const { return graph_.nodes[static_cast<std::size_t>(use.node)]; }

  /// Whether every element is a whole number that the integer type holds.
  bool fits(Use use, DType integer);

  /// Without what neither fetches nor sites read. Tensors are moved.
  Graph finished(std::vector<Fetch> fetches, std::vector<QuantizedSite> sites);

 private:
  Use append(Op op, std::vector<Use> inputs, Attributes attributes, std::string_view path, std::vector<TensorType> outputs);
  double grain_of(const Node& node) const;
  double grain_of_number(double value) const;

  Graph graph_;
  ValueBounds bounds_{graph_};
  std::map<std::uint64_t, Use> numbers_;  ///< by bits: there are two zeros
  std::vector<double> grains_;            ///< by node: a power of two of which its elements are multiples; 0: none is known
  double elements_ = 0;                   ///< of all values of one image
};

}  // namespace qfw::onnx
