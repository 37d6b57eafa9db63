#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/weights_file.h"

/// What reads files of weights within the child process; fuzzed without one.
namespace qfw {

constexpr const char* weights_tag = "weights";
constexpr std::size_t most_names = 100'000, longest_name = 4096, deepest_name = 64;

/// An open file of weights.
class WeightsReader {
 public:
  WeightsReader() = default;
  WeightsReader(const WeightsReader&) = delete;
  WeightsReader& operator=(const WeightsReader&) = delete;
  virtual ~WeightsReader() = default;
  virtual std::vector<ListedTensor> list() = 0;  ///< sorted by name
  virtual std::optional<FoundTensor> read(const AskedTensor& asked) = 0;
};

/// A kind of number that files hold, little-endian.
enum class Number : std::uint8_t { f16, bf16, f32, f64, i8, u8, i16, u16, i32, u32, i64, u64, boolean };
std::size_t size_of(Number number);
const char* name_of(Number number);  ///< "32-bit float"
/// The product of extents; none where one is negative, or where it has more than 62 bits.
std::optional<std::uint64_t> count_of(std::span<const std::int64_t> extents);

/// Rounded to nearest. Throws Error::Category::data for a finite value that would become infinite, naming it and its place in
/// the tensor `name`.
float as_f32(double value, std::string_view name, std::size_t place, std::string_view file);

/// A tensor in a file that says of each what it holds. Derived readers describe() all in their constructor.
class DescribedReader : public WeightsReader {
 public:
  std::vector<ListedTensor> list() final;
  std::optional<FoundTensor> read(const AskedTensor& asked) final;

 protected:
  explicit DescribedReader(std::string place) : place_(std::move(place)) {}
  /// `number`: none for one that nobody here reads, whose name is `type`.
  void describe(std::string name, std::optional<Number> number, std::string_view type, std::vector<std::int64_t> extents);
  void select(const std::string& group);  ///< of what was described, what lies below a group; throws if nothing does
  std::size_t described() const { return tensors_.size(); }
  /// The numbers of a tensor, dense, the last axis first.
  virtual std::vector<std::byte> bytes_of(const std::string& name) = 0;
  /// Throws: the file is not as its kind has to be.
  [[noreturn]] void damaged(std::string_view what) const;
  const std::string& place() const { return place_; }

 private:
  struct Described {
    std::string whole_name;  ///< with the group
    std::optional<Number> number;
    std::string type;
    std::vector<std::int64_t> extents;
  };
  std::string place_;
  std::map<std::string, Described> tensors_;
};

std::unique_ptr<WeightsReader> open_weights(const RegularFile& file, const std::string& group);  ///< of any kind
std::unique_ptr<WeightsReader> open_hdf5_weights(const RegularFile& file, const std::string& group);
std::unique_ptr<WeightsReader> open_safetensors(const RegularFile& file, const std::string& group);
std::unique_ptr<WeightsReader> open_torch_zip(const RegularFile& file, const std::string& group);
std::unique_ptr<WeightsReader> open_torch_legacy(const RegularFile& file, const std::string& group);
std::unique_ptr<WeightsReader> open_onnx_weights(const RegularFile& file, const std::string& group);

}  // namespace qfw
