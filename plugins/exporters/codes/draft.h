#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <vector>

#include "constants.h"
#include "contents.h"
#include "values.h"

namespace qfw::codes {

/// A file in the making.
struct Draft {
  explicit Draft(const FrozenModel& model);

  const FrozenModel& model;
  Constants constants;
  Names names;
  Values values;
  Contents contents;

  const Node& node(Use use) const { return model.graph.nodes[static_cast<std::size_t>(use.node)]; }
  /// Adds an array, under `name` or one like it. Its name.
  std::string add(const std::string& name, const TensorType& type, std::vector<std::byte> bytes);
  template <class T>
  std::string add(const std::string& name, const Shape& shape, const std::vector<T>& values) {
    const auto bytes = std::as_bytes(std::span(values));
    return add(name, {shape, dtype_of<T>::value}, {bytes.begin(), bytes.end()});
  }
  /// A constant: the number itself, or the name of an array, which is added under `name` unless it is a tensor of the graph.
  boost::json::value constant(Use use, const std::string& name);
  /// "N" for the number of images.
  boost::json::array shape_of(Use use) const;

 private:
  std::map<std::pair<int, int>, std::string> added_;
};

/// Each computation that is left for images, in order.
boost::json::array describe_nodes(Draft& draft);
/// Each integer product.
boost::json::array describe_sites(Draft& draft);
/// Each tensor of integer activations that a product reads.
boost::json::array describe_activations(Draft& draft, const Search& search);

boost::json::object describe_conv(const Conv2d& conv);

}  // namespace qfw::codes
