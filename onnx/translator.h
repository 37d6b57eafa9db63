#pragma once

#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "constants.h"
#include "file.h"
#include "qfw/frozen_model.h"
#include "qfw/onnx/write.h"

namespace qfw::onnx {

/// Says a frozen graph in ONNX, node by node. Images are [N, C, H, W] there: what is [C] here, and meets them, is [C, 1, 1].
/// Here is what all forms have in common; each adds how it says products of codes and what else it says in its own way.
class Translator {
 public:
  Translator(const FrozenModel& model, const WriteOptions& options, File& file);
  Translator(const Translator&) = delete;
  Translator& operator=(const Translator&) = delete;
  virtual ~Translator() = default;

  void run();

 protected:
  /// What stands for a value of the graph in the file.
  struct Value {
    std::string name;
    int zero = 0;  ///< of codes that are stored as u8: what is stored for 0
  };

  /// Adds what stands for a node that images reach. The default knows floats, views, reductions and pooling, each op as one
  /// node or a fixed few.
  virtual void translate(int number);
  virtual void cast(int number) = 0;
  virtual void product(int number) = 0;  ///< conv2d, dense
  virtual void sum(int number) = 0;
  /// Before the first node; whatever it returns false for is left out.
  virtual bool is_needed(int) const { return true; }
  /// Whether functions whose bits libraries disagree on may be used: exp, log, tanh.
  virtual bool takes_any_function() const { return true; }
  /// Gives a result its name, and what else a form does to each result.
  virtual void finish(int number, Value value) { values_[number] = std::move(value); }

  const Node& node(int number) const { return graph_.nodes[static_cast<std::size_t>(number)]; }
  const Graph& graph() const { return graph_; }
  /// The only node that reads a value, unless it is fetched too; -1: none or several.
  int only_user(Use use) const;

  /// Whether what stands for a node's value must keep the name that it has.
  virtual bool has_a_name_of_its_own(int number) const { return node(number).op == Op::input; }

  const Value& value(Use use) const;  ///< of one that images reach
  /// Of any one, as an operand beside others of `rank`.
  std::string operand(Use use, int rank);
  std::string constant(Use use, int rank);
  std::string constant_name(Use use) const;  ///< of the initializer that holds it
  /// Values for each channel, arranged for operands of `rank`.
  std::string channels(std::string_view wanted, const std::vector<float>& values, int rank);
  /// Weights' codes or values in ONNX's order: OIHW, or IO.
  template <class T>
  std::vector<T> in_onnx_order(std::span<const T> weights, const Shape& shape) const;
  static Dims weights_dims(const Shape& shape);

  /// A node's output under a name that says where it is from; the form's name for it, if it has one.
  virtual std::string name_for(int number) const;
  std::string beside(int number, std::string_view role) const;  ///< a name for something within the same layer
  void convolution_attributes(const Node& conv, const Shape& weights);
  void reduce_with(const char* op, int number);

  [[noreturn]] void refuse(int number, std::string_view what, std::string_view remedy = {}) const;

  const FrozenModel& model_;
  const WriteOptions& options_;
  File& file_;
  Constants constants_;

 private:
  void name_logits(Use logits);
  Value images();
  std::string pixels();
  void elementwise(const char* op, int number);
  void compare(const char* op, int number);
  void select(int number);
  void clip(int number);
  void max_pool(int number);
  void reshape(int number);
  void transpose(int number);
  void broadcast_to(int number);
  bool is_lower_clip(int number) const;

  const Graph& graph_;
  std::map<int, Value> values_;                                      ///< by node
  std::map<std::tuple<int, int, int>, std::string> constant_names_;  ///< by node, output, rank of operands beside it
  std::vector<std::vector<int>> users_;                              ///< by node
};

/// Axis `axis` of a value of `rank` in the file: NHWC becomes NCHW.
int onnx_axis(int rank, int axis);

template <class T>
std::vector<T> Translator::in_onnx_order(std::span<const T> weights, const Shape& shape) const {
  std::vector<T> result(weights.begin(), weights.end());
  if (shape.rank() != 4) return result;
  const std::int64_t taps = shape[0] * shape[1], in = shape[2], out = shape[3];
  for (std::int64_t t = 0; t < taps; ++t) {
    for (std::int64_t i = 0; i < in; ++i) {
      for (std::int64_t o = 0; o < out; ++o) {
        result[static_cast<std::size_t>((o * in + i) * taps + t)] = weights[static_cast<std::size_t>((t * in + i) * out + o)];
      }
    }
  }
  return result;
}

}  // namespace qfw::onnx
