#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "graph_maker.h"
#include "onnx.pb.h"
#include "qfw/frozen_model.h"
#include "read_constant.h"
#include "read_metadata.h"

namespace qfw::onnx {

/// Makes a graph of a file in the exact form: what the writer says of each op, read backwards. Nothing else is taken, and
/// nothing in the file is believed.
class Reader {
 public:
  Reader(const pb::ModelProto& model, std::int64_t batch);

  FrozenModel read();

 private:
  /// What a name of the file stands for.
  struct Value {
    enum class Is : std::uint8_t {
      number,   ///< floats
      code,     ///< u8 made of `use`, floats
      sum,      ///< s32 of products of codes
      truth,    ///< a condition, `use` of 1 and 0
      pixel,    ///< input pixels, or what is made of them before the table
      doubled,  ///< what ends in a sum: f64 of `use`,
      rows,     ///< with what is summed up as its last axis,
      running,  ///< added up along that,
      total,    ///< the last of them,
      summed    ///< as f32
    };
    Is is = Is::number;
    Use use;                            ///< in the graph, where images are NHWC
    bool nhwc = false;                  ///< in the file, too; of rank 4
    int rank = 0;                       ///< in the file
    Use below;                          ///< of numbers that are 128 more than others: those
    Use subnormal_in{};                 ///< of a truth: of whose elements it says that they count as 0
    int step = 0;                       ///< of pixels: how far they came
    std::vector<std::int64_t> order{};  ///< of doubled: the file's axes, where they were transposed
    Shape to{};                         ///< from rows on: the sum's, in the graph
  };
  using Any = std::variant<Value, Constant>;

  void read_inputs();
  void read_initializers();
  void translate(const pb::NodeProto& node);
  void record(const pb::NodeProto& node, Any result);
  void account(std::size_t bytes);  ///< of a constant that is made: a file may name one of its own any number of times

  // One operator each; what it takes is checked, what its node says beside that is refused.
  Any binary(Op op);
  Any unary(Op op);
  Any compare(Op op);
  Any where();
  Any clip();
  Any cast();
  Any cast_constant(const Constant& constant, std::int64_t to);
  Any dequantize();
  Any product(bool convolution);
  Any max_pool();
  Any reshape();
  Any transpose();
  Any cumulate();
  Any gather();
  Any gather_pixels(const Value& places);
  Any reshape_doubled(const std::vector<std::int64_t>& dims);
  Any add_pixels(const Value& pixels, const Constant& starts);

  /// Of the node at hand.
  const Any& operand(int index);
  const Value& value(int index);               ///< one that images reach
  const Value& floats(int index);              ///< the same, of numbers
  const Constant& constant(int index);         ///< one that they do not
  Use number(int index, const Value& beside);  ///< either, as an operand beside another
  bool is_constant(int index);
  int operands() const;
  void expect_operands(int least, int most);
  std::int64_t attribute(const char* name, std::int64_t otherwise);
  std::vector<std::int64_t> attributes(const char* name, std::vector<std::int64_t> otherwise);
  void expect(const char* name, std::int64_t only, std::int64_t otherwise);  ///< the attribute's value; its default
  void expect_no_more_attributes();
  std::string path() const;

  Use constant_beside(const Constant& constant, const Value& beside);
  Use weights(const Constant& codes, std::int64_t zero, bool convolution);
  bool is_zero_of(Use zero, Use x) const;
  Use codes(const Value& value, std::int64_t zero);
  void check_sums(Use src, Use weights);
  std::vector<QuantizedSite> sites() const;

  const pb::ModelProto& model_;
  const std::int64_t batch_;
  const Metadata metadata_;
  GraphMaker maker_;
  std::map<std::string, Any, std::less<>> values_;
  std::map<std::string, Use> constants_;  ///< by value and shape in the graph
  const double most_constant_bytes_;
  double constant_bytes_ = 0;
  Shape image_;
  const pb::NodeProto* node_ = nullptr;  ///< the one at hand
  std::vector<bool> read_;               ///< of its attributes
  std::vector<Use> products_;            ///< convolutions and dense layers, in order
  bool has_table_ = false;               ///< of pixels
};

}  // namespace qfw::onnx
