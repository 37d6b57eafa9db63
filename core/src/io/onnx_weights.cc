#include <fmt/format.h>

#include <cstring>
#include <map>

#include "io/weights_reader.h"
#include "io/wire_format.h"
#include "qfw/error.h"

namespace qfw {

namespace {

/// Fields of the messages of onnx.proto that lead to a model's weights.
constexpr std::uint32_t model_graph = 7;
constexpr std::uint32_t graph_initializer = 5;
constexpr std::uint32_t graph_sparse_initializer = 15;
constexpr std::uint32_t tensor_dims = 1;
constexpr std::uint32_t tensor_data_type = 2;
constexpr std::uint32_t tensor_segment = 3;
constexpr std::uint32_t tensor_float_data = 4;
constexpr std::uint32_t tensor_int32_data = 5;
constexpr std::uint32_t tensor_int64_data = 7;
constexpr std::uint32_t tensor_name = 8;
constexpr std::uint32_t tensor_raw_data = 9;
constexpr std::uint32_t tensor_double_data = 10;
constexpr std::uint32_t tensor_uint64_data = 11;
constexpr std::uint32_t tensor_external_data = 13;
constexpr std::uint32_t tensor_data_location = 14;

std::optional<Number> number_of(std::uint64_t type) {
  static const std::map<std::uint64_t, Number> known = {
      {1, Number::f32},  {2, Number::u8},   {3, Number::i8},      {4, Number::u16},  {5, Number::i16},
      {6, Number::i32},  {7, Number::i64},  {9, Number::boolean}, {10, Number::f16}, {11, Number::f64},
      {12, Number::u32}, {13, Number::u64}, {16, Number::bf16}};
  const auto found = known.find(type);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

/// The initializers of a model's graph.
class OnnxWeights final : public DescribedReader {
 public:
  OnnxWeights(const RegularFile& file, const std::string& group) : DescribedReader(file.path().string()) {
    bytes_.resize(static_cast<std::size_t>(file.size()));
    file.read(0, bytes_);
    bool any = false;
    each(bytes_, [&](const WireReader::Field& field) {
      if (field.number != model_graph || field.kind != WireReader::Kind::bytes) return;
      any = true;
      read_graph(field.bytes);
    });
    if (!any) damaged("this ONNX model has no graph");
    if (described() == 0) damaged("this ONNX model has no weights (initializers)");
    select(group);
  }

 private:
  struct Initializer {
    Number number = Number::f32;
    std::span<const std::byte> raw;
    std::vector<std::byte> values;  ///< where they are no raw bytes
  };

  template <class Visit>
  void each(std::span<const std::byte> message, const Visit& visit) const {
    WireReader reader(message);
    while (const auto field = reader.next()) visit(*field);
    if (!reader.good()) damaged("this ONNX model is damaged");
  }

  void read_graph(std::span<const std::byte> message) {
    each(message, [&](const WireReader::Field& field) {
      if (field.kind != WireReader::Kind::bytes) return;
      if (field.number == graph_initializer) read_tensor(field.bytes);
      if (field.number == graph_sparse_initializer) damaged("this ONNX model has sparse weights, which cannot be read");
    });
  }

  void read_tensor(std::span<const std::byte> message) {
    std::string name;
    std::vector<std::int64_t> extents;
    std::uint64_t type = 0;
    bool elsewhere = false;
    Initializer found;
    each(message, [&](const WireReader::Field& field) {
      switch (field.number) {
        case tensor_dims:
          integers(field, [&](std::uint64_t value) { extents.push_back(static_cast<std::int64_t>(value)); });
          break;
        case tensor_data_type:
          type = field.integer;
          break;
        case tensor_name:
          name = field.text();
          break;
        case tensor_raw_data:
          found.raw = field.bytes;
          break;
        case tensor_data_location:
          elsewhere = elsewhere || field.integer != 0;
          break;
        case tensor_external_data:
        case tensor_segment:
          elsewhere = true;
          break;
        default:
          break;
      }
    });
    if (elsewhere) damaged(fmt::format("the numbers of {} lie in another file; save the model as one", name));
    const auto number = number_of(type);
    describe(name, number, fmt::format("type {} of ONNX", type), std::move(extents));
    if (!number) return;
    found.number = *number;
    if (found.raw.empty()) read_values(message, found);
    initializers_.emplace(std::move(name), std::move(found));
  }

  /// Of the lists by type: floats and doubles lie there as they are, all others as integers of any length.
  void read_values(std::span<const std::byte> message, Initializer& to) const {
    const std::size_t size = size_of(to.number);
    each(message, [&](const WireReader::Field& field) {
      if (field.number == tensor_float_data || field.number == tensor_double_data) {
        to.values.insert(to.values.end(), field.bytes.begin(), field.bytes.end());
      }
      if (field.number != tensor_int32_data && field.number != tensor_int64_data && field.number != tensor_uint64_data) return;
      integers(field, [&](std::uint64_t value) {
        const auto* bytes = reinterpret_cast<const std::byte*>(&value);
        to.values.insert(to.values.end(), bytes, bytes + size);
      });
    });
  }

  /// One, or a packed list.
  template <class Visit>
  void integers(const WireReader::Field& field, const Visit& visit) const {
    if (field.kind == WireReader::Kind::varint) return visit(field.integer);
    WireReader list(field.bytes);
    while (list.good() && !list.at_end()) visit(list.varint());
    if (!list.good()) damaged("this ONNX model is damaged");
  }

  std::vector<std::byte> bytes_of(const std::string& name) override {
    const Initializer& found = initializers_.at(name);
    return found.raw.empty() ? found.values : std::vector<std::byte>(found.raw.begin(), found.raw.end());
  }

  std::vector<std::byte> bytes_;
  std::map<std::string, Initializer> initializers_;
};

}  // namespace

std::unique_ptr<WeightsReader> open_onnx_weights(const RegularFile& file, const std::string& group) {
  return std::make_unique<OnnxWeights>(file, group);
}

}  // namespace qfw
