#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/pickle.h"
#include "io/weights_reader.h"

namespace qfw {

/// The names that the pickle of a state dictionary may use. None of them is ever more than a name here.
std::span<const std::string_view> torch_names();

/// Where the numbers of tensors lie: one after the other, of one kind.
struct TorchStorage {
  std::string key;
  std::optional<Number> number;  ///< none: of a kind that nobody here reads
  std::string type;              ///< "QInt8Storage"
  std::uint64_t count = 0;
  std::uint64_t bytes() const { return number ? count * size_of(*number) : 0; }
};
struct TorchTensor {
  TorchStorage storage;
  std::int64_t offset = 0;  ///< in numbers
  std::vector<std::int64_t> extents, strides;
};

/// All tensors of a tree of dictionaries, by path: "conv1.weight", "state_dict/conv1.weight". Throws Error::Category::data for
/// one that lies outside of its storage, and if there is none.
std::map<std::string, TorchTensor> torch_tensors(const Pickle& pickle, std::string_view place);
/// All storages that it refers to, by key.
std::map<std::string, TorchStorage> torch_storages(const Pickle& pickle, std::string_view place);

/// Of the numbers of a storage, those of a tensor, the last axis first.
std::vector<std::byte> dense_bytes(const TorchTensor& tensor, std::span<const std::byte> storage);

}  // namespace qfw
