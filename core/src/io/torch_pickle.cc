#include "io/torch_pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "qfw/error.h"

namespace qfw {

namespace {

using Node = Pickle::Node;
using Kind = Node::Kind;

constexpr std::string_view names[] = {"collections.OrderedDict",
                                      "torch._utils._rebuild_tensor_v2",
                                      "torch._utils._rebuild_tensor",
                                      "torch._utils._rebuild_parameter",
                                      "torch.Size",
                                      "torch.device",
                                      "torch.FloatStorage",
                                      "torch.DoubleStorage",
                                      "torch.HalfStorage",
                                      "torch.BFloat16Storage",
                                      "torch.LongStorage",
                                      "torch.IntStorage",
                                      "torch.ShortStorage",
                                      "torch.CharStorage",
                                      "torch.ByteStorage",
                                      "torch.BoolStorage",
                                      "torch.ComplexFloatStorage",
                                      "torch.ComplexDoubleStorage",
                                      "torch.QInt8Storage",
                                      "torch.QUInt8Storage",
                                      "torch.QInt32Storage",
                                      "torch.float16",
                                      "torch.bfloat16",
                                      "torch.float32",
                                      "torch.float64",
                                      "torch.int8",
                                      "torch.uint8",
                                      "torch.int16",
                                      "torch.int32",
                                      "torch.int64",
                                      "torch.bool"};

/// A walk goes over shared parts again: a few bytes may describe more than any memory holds.
constexpr std::size_t deepest = 32, most_visits = 500'000, most_looks = 4'000'000, most_axes = 64, most_letters = 64 << 20;

std::optional<Number> number_of(std::string_view storage) {
  static const std::map<std::string_view, Number> known = {
      {"torch.FloatStorage", Number::f32},     {"torch.DoubleStorage", Number::f64}, {"torch.HalfStorage", Number::f16},
      {"torch.BFloat16Storage", Number::bf16}, {"torch.LongStorage", Number::i64},   {"torch.IntStorage", Number::i32},
      {"torch.ShortStorage", Number::i16},     {"torch.CharStorage", Number::i8},    {"torch.ByteStorage", Number::u8},
      {"torch.BoolStorage", Number::boolean}};
  const auto found = known.find(storage);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

class Interpreter {
 public:
  Interpreter(const Pickle& pickle, std::string_view place) : pickle_(pickle), place_(place) {}

  std::map<std::string, TorchTensor> tensors() {
    visit(pickle_.root(), "", 0);
    if (found_.empty()) damaged("there are no tensors under names in it");
    return std::move(found_);
  }

  TorchStorage storage(const Node& reference) const {
    const Node& id = pickle_[reference.items[0]];
    const auto part = [&](std::size_t i, Kind kind) -> const Node& {
      if (id.kind != Kind::sequence || i >= id.items.size() || pickle_[id.items[i]].kind != kind) {
        damaged("it refers to something that is no storage of a tensor");
      }
      return pickle_[id.items[i]];
    };
    if (part(0, Kind::text).text != "storage") damaged("it refers to something that is no storage of a tensor");
    if (id.items.size() > 5 && pickle_[id.items[5]].kind != Kind::none) {
      damaged("a storage is part of another one, as before 2017");
    }
    TorchStorage result;
    result.type = part(1, Kind::name).text;
    result.number = number_of(result.type);
    const std::string& key = part(2, Kind::text).text;
    if (key.size() > longest_name) damaged(fmt::format("a storage's name has {} characters", key.size()));
    result.key = key;
    const std::int64_t count = part(4, Kind::integer).integer;
    if (count < 0 || count >> 48 != 0) damaged(fmt::format("a storage of {} numbers", count));
    result.count = static_cast<std::uint64_t>(count);
    return result;
  }

 private:
  [[noreturn]] void damaged(std::string_view what) const {
    fail(Error::Category::data, weights_tag, what, place_, "the file is damaged or hostile, or no state_dict()");
  }

  void visit(const Node& node, const std::string& path, std::size_t depth) {
    if (++visits_ > most_visits || depth > deepest) damaged("its dictionaries hold each other too deeply or too often");
    if (const Node* tensor = tensor_of(node)) {
      letters_ += path.size();
      if (letters_ > most_letters) damaged(fmt::format("the names of tensors have more than {} characters", most_letters));
      if (found_.size() >= most_names) damaged(fmt::format("there are more than {} tensors", most_names));
      if (!found_.emplace(path, read(*tensor, path)).second) damaged(fmt::format("there are two tensors {}", path));
      return;
    }
    if (node.kind != Kind::mapping) return;
    looks_ += node.items.size();
    if (looks_ > most_looks) damaged("its dictionaries hold each other too deeply or too often");
    for (std::size_t i = 0; i + 1 < node.items.size(); i += 2) {
      const Node &key = pickle_[node.items[i]], &value = pickle_[node.items[i + 1]];
      if (value.kind != Kind::mapping && value.kind != Kind::call) continue;
      const bool number = key.kind == Kind::integer;
      if (!number && key.kind != Kind::text) continue;
      const std::size_t length = path.size() + (path.empty() ? 0 : 1) + key.text.size();
      if (length > longest_name) damaged(fmt::format("a name has {} characters", length));
      const std::string name = number ? std::to_string(key.integer) : key.text;
      visit(value, path.empty() ? name : path + "/" + name, depth + 1);
    }
  }

  /// The call that makes a tensor, within one that makes a parameter of it.
  const Node* tensor_of(const Node& node) const {
    const Node* made = &node;
    for (std::size_t depth = 0; depth < 4 && made->kind == Kind::call; ++depth) {
      if (made->text.starts_with("torch._utils._rebuild_tensor")) return made;
      if (made->text != "torch._utils._rebuild_parameter" || made->items.empty()) return nullptr;
      made = &pickle_[made->items[0]];
    }
    return nullptr;
  }

  TorchTensor read(const Node& call, const std::string& path) const {
    const auto argument = [&](std::size_t i, Kind kind) -> const Node& {
      if (i >= call.items.size() || pickle_[call.items[i]].kind != kind) damaged(fmt::format("{} is no whole tensor", path));
      return pickle_[call.items[i]];
    };
    TorchTensor tensor;
    tensor.storage = storage(argument(0, Kind::reference));
    tensor.offset = argument(1, Kind::integer).integer;
    tensor.extents = integers(call, 2, path);
    tensor.strides = integers(call, 3, path);
    check(tensor, path);
    return tensor;
  }

  std::vector<std::int64_t> integers(const Node& call, std::size_t i, const std::string& path) const {
    const Node* list = i < call.items.size() ? &pickle_[call.items[i]] : nullptr;
    if (list != nullptr && list->kind == Kind::call && list->text == "torch.Size" && !list->items.empty()) {
      list = &pickle_[list->items[0]];
    }
    if (list == nullptr || list->kind != Kind::sequence) damaged(fmt::format("{} is no whole tensor", path));
    if (list->items.size() > most_axes) damaged(fmt::format("{} has {} axes", path, list->items.size()));
    std::vector<std::int64_t> all;
    for (const Pickle::Index item : list->items) {
      if (pickle_[item].kind != Kind::integer) damaged(fmt::format("{} has extents or strides that are no numbers", path));
      all.push_back(pickle_[item].integer);
    }
    return all;
  }

  /// Its last number lies within its storage.
  void check(const TorchTensor& tensor, const std::string& path) const {
    const auto count = count_of(tensor.extents);
    if (!count || tensor.extents.size() != tensor.strides.size() || tensor.offset < 0) {
      damaged(fmt::format("{} has impossible extents or strides", path));
    }
    if (*count == 0) return;
    std::int64_t last = tensor.offset;
    for (std::size_t i = 0; i < tensor.extents.size(); ++i) {
      std::int64_t way = 0;
      if (tensor.strides[i] < 0 || __builtin_mul_overflow(tensor.strides[i], tensor.extents[i] - 1, &way) ||
          __builtin_add_overflow(last, way, &last)) {
        damaged(fmt::format("{} has impossible extents or strides", path));
      }
    }
    if (static_cast<std::uint64_t>(last) >= tensor.storage.count) {
      damaged(fmt::format("{} reaches to number {} of a storage that has {}", path, last, tensor.storage.count));
    }
  }

  const Pickle& pickle_;
  std::string_view place_;
  std::map<std::string, TorchTensor> found_;
  std::size_t visits_ = 0;
  std::size_t looks_ = 0;    ///< at keys and values of dictionaries
  std::size_t letters_ = 0;  ///< of all names
};

}  // namespace

std::span<const std::string_view> torch_names() { return names; }

std::map<std::string, TorchTensor> torch_tensors(const Pickle& pickle, std::string_view place) {
  return Interpreter(pickle, place).tensors();
}

std::map<std::string, TorchStorage> torch_storages(const Pickle& pickle, std::string_view place) {
  const Interpreter interpreter(pickle, place);
  std::map<std::string, TorchStorage> all;
  for (const Node& node : pickle.nodes()) {
    if (node.kind != Kind::reference) continue;
    TorchStorage storage = interpreter.storage(node);
    const auto [known, is_new] = all.emplace(storage.key, storage);
    if (!is_new && (known->second.count != storage.count || known->second.type != storage.type)) {
      fail(Error::Category::data, weights_tag, fmt::format("storage {} is of two kinds", storage.key), place,
           "the file is damaged or hostile: get or make it again");
    }
  }
  return all;
}

std::vector<std::byte> dense_bytes(const TorchTensor& tensor, std::span<const std::byte> storage) {
  const std::size_t size = size_of(*tensor.storage.number), rank = tensor.extents.size();
  const std::uint64_t count = *count_of(tensor.extents);
  std::vector<std::byte> bytes(static_cast<std::size_t>(count) * size);
  std::vector<std::int64_t> index(rank, 0);
  std::int64_t from = tensor.offset;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(bytes.data() + i * size, storage.data() + static_cast<std::size_t>(from) * size, size);
    for (std::size_t axis = rank; axis-- > 0;) {
      from += tensor.strides[axis];
      if (++index[axis] < tensor.extents[axis]) break;
      from -= tensor.strides[axis] * tensor.extents[axis];
      index[axis] = 0;
    }
  }
  return bytes;
}

}  // namespace qfw
