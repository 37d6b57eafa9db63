#include "dataset.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "checks.h"
#include "file.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "qfw/random.h"

namespace qfw::hdf5_dataset {

namespace {

constexpr std::uint64_t most_picture = 1 << 30;

/// The layout, and where the data set named so lies: ~ expanded, and a folder taken for its dataset.h5.
std::filesystem::path file_named(const std::string& data_dir) {
  if (data_dir.empty()) fail(Error::Category::usage, tag, "dataset.data_dir is not set", {}, "name an HDF5 file");
  return file_of(with_home(data_dir));
}

/// Of lists of values, one after the other.
class Digest {
 public:
  void add(std::string_view text) { hash_ = (hash_ ^ hash_of(text)) * 0x100000001b3u; }
  void add(const std::vector<std::int64_t>& values) {
    add(std::string_view(reinterpret_cast<const char*>(values.data()), values.size() * sizeof values[0]));
  }
  void add(const std::vector<std::string>& texts) {
    for (const std::string& text : texts) add(text);
  }
  std::uint64_t value() const { return hash_; }

 private:
  std::uint64_t hash_ = hash_of("hdf5");
};

}  // namespace

Hdf5Dataset::Split::Split(const RegularFile& file, SplitLayout&& from)
    : name(std::move(from.name)),
      encoded(from.encoded),
      array(file, std::move(from.pictures)),
      offsets(std::move(from.offsets)),
      labels(std::move(from.labels)),
      names(std::move(from.names)) {}

Hdf5Dataset::Hdf5Dataset(const Options& options) : Hdf5Dataset(file_named(options.data_dir)) {}

Hdf5Dataset::Hdf5Dataset(const std::filesystem::path& path) : file_(path) {
  FileLayout layout = read_layout(file_);
  classes_ = classes_of(layout);
  class_names_ = std::move(layout.class_names);
  for (SplitLayout& split : layout.splits) splits_.emplace_back(file_, std::move(split));
}

Dataset::Identity Hdf5Dataset::identity(std::string_view name) const {
  const Split& split = find(name);
  Digest digest;
  digest.add(split.name);
  digest.add(fmt::format("{} {} {}", classes_, split.encoded, split.encoded ? "" : split.array.shape().str()));
  digest.add(split.offsets);
  digest.add(split.labels);
  digest.add(split.names);
  digest.add(class_names_);
  return {.content = digest.value(), .storage = file_.identity()};
}

Shape Hdf5Dataset::shape() const {
  const auto of = [](const Split& split) {
    if (split.encoded) return Shape{};
    const Shape& all = split.array.shape();
    return Shape{all[1], all[2], all[3]};
  };
  const Shape first = of(splits_.front());
  return std::ranges::all_of(splits_, [&](const Split& split) { return of(split) == first; }) ? first : Shape{};
}

std::vector<std::string> Hdf5Dataset::splits() const {
  std::vector<std::string> names;
  for (const Split& split : splits_) names.push_back(split.name);
  return names;
}

const Hdf5Dataset::Split& Hdf5Dataset::find(std::string_view name) const {
  const auto found = std::ranges::find(splits_, name, &Split::name);
  if (found == splits_.end()) {
    fail(Error::Category::usage, tag, fmt::format("there is no split {}", name), file_.path().string(),
         fmt::format("the splits are {}", fmt::join(splits(), ", ")));
  }
  return *found;
}

std::int64_t Hdf5Dataset::size(std::string_view split) const { return static_cast<std::int64_t>(find(split).labels.size()); }

std::string Hdf5Dataset::class_name(std::int64_t label) const {
  return class_names_.empty() ? std::to_string(label) : class_names_.at(static_cast<std::size_t>(label));
}

std::size_t Hdf5Dataset::checked(const Split& split, std::int64_t index) const {
  if (index < 0 || static_cast<std::size_t>(index) >= split.labels.size()) {
    fail(Error::Category::data, tag, fmt::format("no example {}: split {} has {}", index, split.name, split.labels.size()),
         file_.path().string());
  }
  return static_cast<std::size_t>(index);
}

/// Where the bytes of an example begin in its array, and how many there are.
std::pair<std::uint64_t, std::uint64_t> Hdf5Dataset::range(const Split& split, std::size_t number) const {
  if (!split.encoded) {
    const std::uint64_t row = split.array.size() / split.labels.size();
    return {number * row, row};
  }
  const auto begin = static_cast<std::uint64_t>(split.offsets[number]),
             end = static_cast<std::uint64_t>(split.offsets[number + 1]);
  return {begin, end - begin};
}

std::string Hdf5Dataset::place(std::string_view name, std::int64_t index) const {
  const Split& split = find(name);
  const auto [first, count] = range(split, checked(split, index));
  return fmt::format("{}: {}, record {} at offset {}", file_.path().string(), name, index, split.array.offset_of(first));
}

Example Hdf5Dataset::get(std::string_view name, std::int64_t index) const {
  const Split& split = find(name);
  const std::size_t number = checked(split, index);
  const auto [first, count] = range(split, number);
  const auto bad = [&](const std::string& what) {
    fail(Error::Category::data, tag, what, place(name, index), "make the file again, or set dataset.on_corrupt = skip");
  };
  Example example;
  example.label = split.labels[number];
  if (example.label < unlabelled || example.label >= classes_)
    bad(fmt::format("the label is {} of {} classes", example.label, classes_));
  if (!split.names.empty()) example.name = split.names[number];
  if (count == 0) bad("the picture has no bytes");
  if (count > most_picture) bad(fmt::format("the picture has {} bytes, at most {} are taken", count, most_picture));
  const auto memory = std::make_shared_for_overwrite<std::byte[]>(count);
  const std::span<std::byte> bytes(memory.get(), count);
  split.array.read(first, bytes);
  file_.check_unchanged();
  example.bytes = bytes;
  example.owner = memory;
  if (!split.encoded) {
    const Shape& shape = split.array.shape();
    example.shape = {shape[1], shape[2], shape[3]};
    return example;
  }
  const auto encoding = image::encoding_of(bytes);
  if (!encoding) bad(fmt::format("these {} bytes are neither a JPEG, a PNG nor a WebP", count));
  example.encoding = *encoding;
  return example;
}

}  // namespace qfw::hdf5_dataset
