#include "io/weights_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "io/weights_reader.h"
#include "qfw/error.h"

namespace qfw {

namespace {

using namespace std::string_view_literals;

constexpr std::string_view hdf5_signature = "\x89HDF\r\n\x1a\n"sv;
/// A pickle of protocol 2 that is the number by which torch.save() begins its older form.
constexpr std::string_view torch_signature = "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19"sv;

std::string bytes_at(const RegularFile& file, std::uint64_t offset, std::size_t count) {
  if (offset >= file.size()) return {};
  std::string bytes(static_cast<std::size_t>(std::min<std::uint64_t>(count, file.size() - offset)), '\0');
  file.read(offset, std::as_writable_bytes(std::span(bytes)));
  return bytes;
}

/// HDF5 may begin behind what belongs to somebody else, at 512, 1024, 2048, ...
bool is_hdf5(const RegularFile& file, std::string_view first) {
  if (first.starts_with(hdf5_signature)) return true;
  for (std::uint64_t offset = 512; offset < file.size() && offset <= (std::uint64_t{1} << 40); offset *= 2) {
    if (bytes_at(file, offset, hdf5_signature.size()) == hdf5_signature) return true;
  }
  return false;
}

/// A header's length in 8 bytes, then the header, a JSON object.
bool is_safetensors(std::string_view first) {
  return first.size() > 8 && first[8] == '{' && first.substr(4, 4) == "\0\0\0\0"sv;
}

/// Field 1, the version of the intermediate representation, then another field of a model.
bool is_onnx(std::string_view first) {
  return first.size() > 2 && first[0] == '\x08' && first[1] > 0 && (first[2] & 7) <= 2 && (first[2] >> 3) > 1;
}

/// What a file is that holds no weights for us, where its beginning tells.
std::string_view other_kind(std::string_view first) {
  if (first.empty()) return "it is empty";
  if (first.starts_with("\x80")) return "it is a pickle, but none that torch.save() made";
  if (first.starts_with("\x1f\x8b")) return "it is compressed (gzip)";
  if (first.starts_with("\x93NUMPY")) return "it is a single numpy array";
  if (first.starts_with("ustar"sv) || (first.size() > 262 && first.substr(257, 5) == "ustar")) {
    return "it is a tar archive: a torch.save() from before 2017, or a packed folder";
  }
  if (first.starts_with("version https://git-lfs")) return "it is a pointer of Git LFS in place of the file";
  if (first.starts_with("<")) return "it is a web page or XML, perhaps in place of a download";
  return {};
}

template <class Work>
Received in_child(const RegularFile& file, std::uint64_t more_memory, const Work& work) {
  Confinement limits = confinement_for(file, weights_tag);
  limits.memory += more_memory;
  return run_confined(limits, work);
}

}  // namespace

std::string ListedTensor::str() const { return fmt::format("{} [{}]", type, fmt::join(extents, ", ")); }

const char* name_of(Container container) {
  switch (container) {
    case Container::hdf5:
      return "HDF5";
    case Container::safetensors:
      return "safetensors";
    case Container::torch_zip:
      return "PyTorch (zip)";
    case Container::torch_legacy:
      return "PyTorch (legacy)";
    case Container::onnx:
      return "ONNX";
  }
  return "?";
}

Container container_of(const RegularFile& file) {
  const std::string first = bytes_at(file, 0, 512);
  if (first.starts_with("PK\x03\x04") || first.starts_with("PK\x05\x06")) return Container::torch_zip;
  if (first.starts_with(torch_signature)) return Container::torch_legacy;
  if (is_safetensors(first)) return Container::safetensors;
  if (is_hdf5(file, first)) return Container::hdf5;
  if (is_onnx(first)) return Container::onnx;
  std::string what = "this is no file of weights of a kind that is known here";
  if (const auto told = other_kind(first); !told.empty()) what += fmt::format(": {}", told);
  fail(Error::Category::data, weights_tag, what, file.path().string(),
       "known are HDF5 (.h5), safetensors, what torch.save() writes (.pth, .pt, .bin) and ONNX; a damaged file may look like "
       "none");
}

std::unique_ptr<WeightsReader> open_weights(const RegularFile& file, const std::string& group) {
  switch (container_of(file)) {
    case Container::hdf5:
      return open_hdf5_weights(file, group);
    case Container::safetensors:
      return open_safetensors(file, group);
    case Container::torch_zip:
      return open_torch_zip(file, group);
    case Container::torch_legacy:
      return open_torch_legacy(file, group);
    case Container::onnx:
      return open_onnx_weights(file, group);
  }
  return nullptr;
}

std::vector<ListedTensor> list_tensors(const std::filesystem::path& path, const std::string& group) {
  const RegularFile file(path);
  container_of(file);
  Received received = in_child(file, 0, [&](Answer& answer) {
    const auto all = open_weights(file, group)->list();
    answer.put<std::uint64_t>(all.size());
    for (const ListedTensor& tensor : all) {
      answer.put_text(tensor.name);
      answer.put_text(tensor.type);
      answer.put_list<std::int64_t>(tensor.extents);
    }
  });
  std::vector<ListedTensor> all;
  for (auto count = received.take<std::uint64_t>(); count > 0; --count) {
    ListedTensor& tensor = all.emplace_back();
    tensor.name = received.take_text();
    tensor.type = received.take_text();
    tensor.extents = received.take_list<std::int64_t>();
  }
  return all;
}

std::map<std::string, FoundTensor> read_tensors(const std::filesystem::path& path, const std::string& group,
                                                std::span<const AskedTensor> asked) {
  const RegularFile file(path);
  std::uint64_t values = 0;
  for (const AskedTensor& tensor : asked) values += tensor.type.bytes();
  Received received = in_child(file, 3 * values, [&](Answer& answer) {
    const auto reader = open_weights(file, group);
    for (const AskedTensor& tensor : asked) {
      const auto found = reader->read(tensor);
      answer.put(found.has_value());
      answer.put_text(found ? found->otherwise : "");
      answer.put_list<float>(found ? std::span<const float>(found->values) : std::span<const float>());
    }
  });
  file.check_unchanged();
  std::map<std::string, FoundTensor> all;
  for (const AskedTensor& tensor : asked) {
    const bool there = received.take<bool>();
    FoundTensor found;
    found.otherwise = received.take_text();
    found.values = received.take_list<float>();
    if (found.otherwise.empty() && there && found.values.size() != static_cast<std::size_t>(tensor.type.shape.count())) {
      fail(Error::Category::internal, weights_tag, fmt::format("{} values of {}", found.values.size(), tensor.name),
           path.string());
    }
    if (there) all.emplace(tensor.name, std::move(found));
  }
  return all;
}

}  // namespace qfw
