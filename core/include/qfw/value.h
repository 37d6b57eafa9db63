#pragma once

#include "qfw/tensor.h"

namespace qfw {

class GraphBuilder;

/// A tensor of the graph under construction, or a plain number waiting to meet one: `0.1 * x`, `maximum(x, 0)`.
/// A handle of a few bytes, valid as long as its builder; copying it adds nothing to the graph. Arithmetic between numbers
/// gives a number; a number takes the dtype of the float tensor it meets.
class QFW_API Value {
 public:
  Value(double number) : number_(number) {}  // implicit: numbers are values
  Value(GraphBuilder& builder, int node, int output) : builder_(&builder), node_(node), output_(output) {}

  bool is_number() const { return builder_ == nullptr; }
  double number() const { return number_; }  ///< meaningless unless is_number()

  TensorType type() const;  ///< by value: adding nodes moves the graph's own
  Shape shape() const { return type().shape; }
  DType dtype() const { return type().dtype; }

  GraphBuilder& builder() const;  ///< throws for a number
  int node() const { return node_; }
  int output() const { return output_; }

 private:
  GraphBuilder* builder_ = nullptr;
  double number_ = 0;
  int node_ = -1;
  int output_ = 0;
};

// Elementwise, with broadcasting (see Shape). Comparisons give f32 0 or 1, so that a mask can be summed or multiplied.
QFW_API Value operator+(Value a, Value b);
QFW_API Value operator-(Value a, Value b);
QFW_API Value operator*(Value a, Value b);
QFW_API Value operator/(Value a, Value b);
QFW_API Value operator-(Value a);
QFW_API Value operator<(Value a, Value b);
QFW_API Value operator<=(Value a, Value b);
inline Value operator>(Value a, Value b) { return b < a; }
inline Value operator>=(Value a, Value b) { return b <= a; }
QFW_API Value equal(Value a, Value b);  ///< not operator==, which would make comparing handles a trap

}  // namespace qfw
