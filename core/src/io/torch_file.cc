#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "io/torch_pickle.h"
#include "io/zip_archive.h"
#include "qfw/error.h"

namespace qfw {

namespace {

constexpr std::uint64_t longest_pickle = 32 << 20;

/// What both forms have in common.
class TorchReader : public DescribedReader {
 protected:
  using DescribedReader::DescribedReader;

  void take(std::map<std::string, TorchTensor> tensors) {
    tensors_ = std::move(tensors);
    for (const auto& [name, tensor] : tensors_) describe(name, tensor.storage.number, tensor.storage.type, tensor.extents);
  }
  const TorchTensor& tensor(const std::string& name) const { return tensors_.at(name); }

 private:
  std::map<std::string, TorchTensor> tensors_;
};

/// The form since 2020: TOP/data.pkl, and the numbers of each storage in TOP/data/KEY.
class TorchZip final : public TorchReader {
 public:
  TorchZip(const RegularFile& file, const std::string& group)
      : TorchReader(file.path().string()), archive_(file), size_(file.size()) {
    constexpr std::string_view pickle_name = "data.pkl";
    const auto names = archive_.names();
    const auto ends = [](std::string_view end) {
      return [end](const std::string& name) { return name == end || name.ends_with("/" + std::string(end)); };
    };
    const auto pickle = std::ranges::find_if(names, ends(pickle_name));
    if (pickle == names.end()) refuse_other();
    top_ = pickle->substr(0, pickle->size() - pickle_name.size());
    if (archive_.has(top_ + "constants.pkl")) {
      fail(Error::Category::data, weights_tag, "this is a TorchScript archive, a program and its weights", place(),
           "have its maker save the model's state_dict() alone");
    }
    check_byte_order();
    const std::vector<std::byte> bytes = archive_.read(*pickle, longest_pickle);
    take(torch_tensors(Pickle(bytes, torch_names(), place()), place()));
    select(group);
  }

 private:
  /// Archives of other kinds.
  [[noreturn]] void refuse_other() const {
    const auto names = archive_.names();
    const bool arrays = std::ranges::any_of(names, [](const std::string& name) { return name.ends_with(".npy"); });
    const std::string_view what = archive_.has("model.weights.h5") ? "this is a .keras archive of a model and its weights"
                                  : arrays                         ? "this is an archive of numpy arrays"
                                                                   : "this is a zip archive, but none that torch.save() made";
    fail(Error::Category::data, weights_tag, what, place(),
         archive_.has("model.weights.h5") ? "take model.weights.h5 out of it (unzip), or save_weights() in Keras"
                                          : "unpack it, or save the weights as .pth or safetensors");
  }

  void check_byte_order() const {
    const std::string entry = top_ + "byteorder";
    if (!archive_.has(entry)) return;
    const std::vector<std::byte> order = archive_.read(entry, 64);
    const std::string_view text(reinterpret_cast<const char*>(order.data()), order.size());
    if (text != "little") {
      fail(Error::Category::data, weights_tag, "its numbers are in big-endian order", place(), "save it on another machine");
    }
  }

  std::vector<std::byte> bytes_of(const std::string& name) override {
    const TorchTensor& asked = tensor(name);
    if (read_ != asked.storage.key || storage_.empty()) {  // several tensors may be parts of one
      storage_ = archive_.read(fmt::format("{}data/{}", top_, asked.storage.key), size_);
      read_ = asked.storage.key;
    }
    if (storage_.size() != asked.storage.bytes()) {
      damaged(fmt::format("the storage of {} has {} bytes, its {} numbers take {}", name, storage_.size(), asked.storage.count,
                          asked.storage.bytes()));
    }
    return dense_bytes(asked, storage_);
  }

  ZipArchive archive_;
  std::uint64_t size_;
  std::string top_;
  std::string read_;  ///< the storage that was read last
  std::vector<std::byte> storage_;
};

/// The form before: pickles of a number by which it is known, a version, the machine, what was saved, and the keys of all
/// storages; then each storage in that order, its length before it.
class TorchLegacy final : public TorchReader {
 public:
  TorchLegacy(const RegularFile& file, const std::string& group) : TorchReader(file.path().string()), file_(file) {
    std::vector<std::byte> head(static_cast<std::size_t>(std::min(file.size(), longest_pickle)));
    file.read(0, head);
    auto next = [&, rest = std::span<const std::byte>(head)]() mutable {
      Pickle pickle(rest, torch_names(), place());
      rest = rest.subspan(pickle.size());
      begin_ += pickle.size();
      return pickle;
    };
    next();  // the number, by which the file was known
    const Pickle version = next();
    if (version.root().integer != 1001) damaged("its form is of a version that is not known");
    check_machine(next());
    const Pickle saved = next();
    const Pickle keys = next();
    find_storages(keys, torch_storages(saved, place()));
    take(torch_tensors(saved, place()));
    select(group);
  }

 private:
  using Kind = Pickle::Node::Kind;

  void check_machine(const Pickle& machine) const {
    const auto& items = machine.root().items;
    for (std::size_t i = 0; i + 1 < items.size(); i += 2) {
      if (machine[items[i]].text == "little_endian" && machine[items[i + 1]].integer == 0) {
        damaged("its numbers are in big-endian order");
      }
    }
  }

  void find_storages(const Pickle& keys, const std::map<std::string, TorchStorage>& known) {
    std::uint64_t at = begin_;
    for (const Pickle::Index item : keys.root().items) {
      const auto found = known.find(keys[item].text);
      if (keys[item].kind != Kind::text || found == known.end() || !found->second.number) {
        damaged(fmt::format("storage {} is of no tensor that can be read", keys[item].text));
      }
      std::uint64_t count = 0;
      if (at > file_.size() || file_.size() - at < sizeof count)
        damaged(fmt::format("it ends before storage {}", found->second.key));
      file_.read(at, std::as_writable_bytes(std::span(&count, 1)));
      at += sizeof count;
      const TorchStorage& storage = found->second;
      if (count != storage.count) {
        damaged(
            fmt::format("storage {} has {} numbers, the tensors in it belong to one of {}", storage.key, count, storage.count));
      }
      if (const std::uint64_t left = file_.size() - at; storage.bytes() > left) {
        damaged(fmt::format("storage {} is cut short: its {} numbers take {} bytes, and {} are left in the file", storage.key,
                            count, storage.bytes(), left));
      }
      if (!places_.emplace(storage.key, at).second) damaged(fmt::format("there are two storages {}", storage.key));
      at += storage.bytes();
    }
  }

  std::vector<std::byte> bytes_of(const std::string& name) override {
    const TorchTensor& asked = tensor(name);
    const auto place = places_.find(asked.storage.key);
    if (place == places_.end()) damaged(fmt::format("the storage of {} is not there", name));
    std::vector<std::byte> storage(static_cast<std::size_t>(asked.storage.bytes()));
    file_.read(place->second, storage);
    return dense_bytes(asked, storage);
  }

  const RegularFile& file_;
  std::uint64_t begin_ = 0;
  std::map<std::string, std::uint64_t> places_;  ///< of storages, by key
};

}  // namespace

std::unique_ptr<WeightsReader> open_torch_zip(const RegularFile& file, const std::string& group) {
  return std::make_unique<TorchZip>(file, group);
}

std::unique_ptr<WeightsReader> open_torch_legacy(const RegularFile& file, const std::string& group) {
  return std::make_unique<TorchLegacy>(file, group);
}

}  // namespace qfw
