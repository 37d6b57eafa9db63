#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "floating.h"
#include "qfw/bounds.h"

namespace qfw::onnx {

/// The form that accelerators compile: QuantizeLinear and DequantizeLinear around float products. Codes are those of the
/// training, or those times a power of two, never quantized again; what follows a product and is the same for each pixel
/// (factor, batch normalisation, bias) goes into the weights' scales and one bias. A grid that floors becomes one that rounds
/// of what is half a step less. Layers that are not computed with integers stay floats.
class Qdq final : public Floating {
 public:
  Qdq(const FrozenModel& model, const WriteOptions& options, File& file);

 private:
  /// How a float becomes a code: the nearest whole number of x * scale, or the one below, clipped.
  struct Quantization {
    Use x;
    std::vector<float> scale;  ///< one, or one for each channel
    float low = 0, high = 0;
    bool floors = false;
  };
  /// factor * sums + bias, per output channel.
  struct Product {
    int matmul = -1;
    std::vector<double> factor, bias;
  };

  void translate(int number) override;
  void cast(int number) override;
  bool is_needed(int number) const override { return needed_[static_cast<std::size_t>(number)]; }

  std::optional<Quantization> quantization_of(int cast) const;
  void plan_product(int matmul);
  void fold_into_product(int cast);
  void find_needed();
  bool is_used_by_products_alone(int number) const;
  /// The values of a constant that is one number, or has one for each of `channels`; empty: it is neither.
  std::vector<float> by_channel(Use use, std::int64_t channels) const;

  int finer_unit(Use source, std::span<const std::int8_t> weights);
  void add_product(int end, const Product& product, std::string_view name);
  void add_quantization(int cast, const Quantization& quantization);
  /// QuantizeLinear and DequantizeLinear by one scale: the codes times it.
  void add_pair(int cast, const std::string& x, float step);
  pb::TensorProto::DataType type_of_codes(int cast, float high) const;

  ValueBounds bounds_;
  std::map<int, Quantization> quantizations_;  ///< by the cast to codes
  std::map<int, Product> products_;            ///< by the last node that it stands for
  std::map<int, int> folded_;                  ///< by the cast: the end of the product that its scale went into
  std::map<int, float> steps_;                 ///< by the cast: what one code is in the file
  std::vector<bool> needed_;                   ///< by node
};

}  // namespace qfw::onnx
