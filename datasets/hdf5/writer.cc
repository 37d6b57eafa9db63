#include "writer.h"

#include <fmt/format.h>

#include <algorithm>

#include "file.h"
#include "layout.h"
#include "qfw/atomic_file.h"
#include "qfw/confined.h"
#include "qfw/error.h"
#include "qfw/foreign_hdf5.h"
#include "qfw/hdf5_storage.h"
#include "qfw/image.h"
#include "qfw/random.h"
#include "qfw/regular_file.h"

namespace qfw::hdf5_dataset {

namespace {

namespace fs = std::filesystem;
using foreign_hdf5::Handle;

constexpr std::uint64_t chunk_bytes = 1 << 20;

void made(bool good, const fs::path& file, const std::string& what) {
  if (!good) fail(Error::Category::data, tag, fmt::format("the library cannot write {}", what), file.string());
}

Handle create(hid_t group, const char* name, hid_t type, const std::vector<hsize_t>& extents, std::uint64_t row_bytes, int gzip,
              const fs::path& file) {
  const Handle space(H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr), H5Sclose);
  const Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
  H5Pset_obj_track_times(properties, false);  // equal data gives equal bytes
  if (gzip > 0 && std::ranges::all_of(extents, [](hsize_t extent) { return extent > 0; })) {
    std::vector<hsize_t> chunk = extents;
    chunk[0] = std::clamp<hsize_t>(chunk_bytes / row_bytes, 1, extents[0]);
    H5Pset_chunk(properties, static_cast<int>(chunk.size()), chunk.data());
    H5Pset_deflate(properties, static_cast<unsigned>(gzip));
  }
  Handle data(H5Dcreate2(group, name, type, space, H5P_DEFAULT, properties, H5P_DEFAULT), H5Dclose);
  made(static_cast<bool>(data), file, name);
  return data;
}

void write_integers(hid_t group, const char* name, const std::vector<std::int64_t>& values, const fs::path& file) {
  const Handle data = create(group, name, H5T_STD_I64LE, {values.size()}, 8, 0, file);
  made(values.empty() || H5Dwrite(data, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0, file, name);
}

void write_strings(hid_t group, const char* name, const std::vector<std::string>& values, const fs::path& file) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  std::vector<const char*> texts;
  for (const std::string& value : values) texts.push_back(value.c_str());
  const Handle data = create(group, name, type, {texts.size()}, 16, 0, file);
  made(texts.empty() || H5Dwrite(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, texts.data()) >= 0, file, name);
}

void write_attribute(hid_t file, const std::string& text, const fs::path& path) {
  const Handle type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
  H5Tset_size(type, text.size());
  const Handle made_one(H5Acreate2(file, conversion_attribute, type, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  made(made_one && H5Awrite(made_one, type, text.data()) >= 0, path, conversion_attribute);
}

/// Writes along the first axis in steps of whole chunks.
class Appender {
 public:
  Appender(hid_t data, std::vector<hsize_t> extents, std::uint64_t row_bytes, const fs::path& file)
      : data_(data), count_(std::move(extents)), start_(count_.size()), row_bytes_(row_bytes), file_(file) {}

  std::span<std::byte> add(std::uint64_t bytes) {
    if (buffer_.size() >= chunk_bytes) flush(false);
    buffer_.resize(buffer_.size() + bytes);
    return std::span(buffer_).last(bytes);
  }
  void flush(bool all) {
    const std::uint64_t step = std::max<std::uint64_t>(1, chunk_bytes / row_bytes_);
    std::uint64_t rows = buffer_.size() / row_bytes_;
    if (!all) rows = rows / step * step;
    if (rows == 0) return;
    count_[0] = rows;
    const Handle space(H5Dget_space(data_), H5Sclose),
        memory(H5Screate_simple(static_cast<int>(count_.size()), count_.data(), nullptr), H5Sclose);
    made(H5Sselect_hyperslab(space, H5S_SELECT_SET, start_.data(), nullptr, count_.data(), nullptr) >= 0 &&
             H5Dwrite(data_, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, buffer_.data()) >= 0,
         file_, "the pictures");
    start_[0] += rows;
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(rows * row_bytes_));
  }

 private:
  hid_t data_;
  std::vector<hsize_t> count_, start_;
  std::uint64_t row_bytes_;
  const fs::path& file_;
  std::vector<std::byte> buffer_;
};

}  // namespace

std::string Hdf5Writer::description() const {
  std::string text = fmt::format("encoding {} {}, parts of {}\n", options_.encoding, options_.quality, options_.part_examples);
  for (const Split& split : target_.splits) text += fmt::format("{} {}\n", split.name, split.examples);
  for (const std::string& name : target_.class_names) text += name + "\n";
  return text;
}

/// Short enough for an attribute, whatever the number of classes.
std::string Hdf5Writer::digest() const { return fmt::format("{:016x}", hash_of(description())); }

void Hdf5Writer::begin(const Target& target) {
  target_ = target;
  file_ = file_of(target.folder);
  parts_ = file_.string() + ".parts";
  forms_.clear();
  finished_ = false;
  for (const Split& split : target.splits) {
    if (split.name.empty() || split.name.find('/') != std::string::npos || split.name.front() == '.') {
      fail(Error::Category::usage, tag, fmt::format("a split's name is '{}'", split.name), {}, "it must do as a group's name");
    }
  }
  std::error_code error;
  const fs::path note = parts_ / "target";
  if (fs::exists(note, error)) {
    if (read_text(note) != description()) {
      fail(Error::Category::usage, tag, "an unfinished conversion of something else, or with other settings, is there",
           parts_.string(), "remove it, or choose another folder");
    }
    for (const Split& split : target_.splits) {
      for (std::int64_t part = 0; part < parts(split.name); ++part) {
        if (!has(split.name, part)) continue;
        const fs::path file = part_file(split.name, part);
        join(split.name, PartReader(file).form(), file.string());
      }
    }
    return;
  }
  if (fs::exists(file_, error)) {
    finished_ = read_layout(RegularFile(file_)).conversion == digest();
    if (finished_) return;
    fail(Error::Category::usage, tag, "there is such a file already", file_.string(), "remove it, or choose another folder");
  }
  fs::create_directories(parts_, error);
  if (error) fail_writing(parts_, error.value());
  write_text_atomically(note, description());
}

const DatasetWriter::Split& Hdf5Writer::find(std::string_view name) const {
  const auto found = std::ranges::find(target_.splits, name, &Split::name);
  if (found == target_.splits.end()) fail(Error::Category::internal, tag, fmt::format("no split {}", name));
  return *found;
}

std::int64_t Hdf5Writer::parts(std::string_view split) const {
  return (find(split).examples + options_.part_examples - 1) / options_.part_examples;
}

std::pair<std::int64_t, std::int64_t> Hdf5Writer::range(std::string_view split, std::int64_t part) const {
  const std::int64_t begin = part * options_.part_examples;
  return {begin, std::min(begin + options_.part_examples, find(split).examples)};
}

fs::path Hdf5Writer::part_file(std::string_view split, std::int64_t part) const {
  return parts_ / fmt::format("{}-{}", split, part);
}

bool Hdf5Writer::has(std::string_view split, std::int64_t part) const {
  std::error_code error;
  return finished_ || fs::exists(part_file(split, part), error);
}

void Hdf5Writer::join(std::string_view split, const Form& form, const std::string& place) {
  const auto known = std::ranges::find(forms_, split, &std::pair<std::string, Form>::first);
  if (known == forms_.end()) {
    forms_.emplace_back(split, form);
  } else if (known->second != form) {
    fail(Error::Category::data, tag, fmt::format("{} cannot stand beside {}", form.str(), known->second.str()), place,
         "convert with encoding = png or jpeg, or resize the pictures");
  }
}

void Hdf5Writer::write(std::string_view split, std::int64_t part, const Source& source) {
  PartWriter writer(part_file(split, part));
  const auto [begin, end] = range(split, part);
  Form form;
  for (std::int64_t i = 0; i < end - begin; ++i) {
    const Example example = source(i);
    const bool pixels = example.encoding == Example::Encoding::pixels;
    const std::string place = fmt::format("example {} of {}", begin + i, split);
    if (example.label < 0 || example.label >= static_cast<std::int64_t>(target_.class_names.size())) {
      fail(Error::Category::data, tag, fmt::format("label {} of {} classes", example.label, target_.class_names.size()), place);
    }
    std::vector<std::byte> encoded;
    if (pixels && options_.encoding != "keep") {
      encoded = image::encode(example, options_.encoding == "png" ? Example::Encoding::png : Example::Encoding::jpeg,
                              options_.quality);
    }
    form = pixels && encoded.empty() ? Form{true, example.shape} : Form{};
    if (form.pixels && (form.shape.rank() != 3 || form.shape.count() != static_cast<std::int64_t>(example.bytes.size()))) {
      fail(Error::Category::data, tag, fmt::format("{} bytes of {}", example.bytes.size(), form.str()), place);
    }
    join(split, form, place);
    writer.add(example.label, example.name, encoded.empty() ? example.bytes : std::span<const std::byte>(encoded));
  }
  writer.commit(form);
}

void Hdf5Writer::write_split(hid_t file, const Split& split) const {
  const Handle group(H5Gcreate2(file, split.name.c_str(), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT), H5Gclose);
  made(static_cast<bool>(group), file_, split.name);
  std::vector<std::int64_t> labels, offsets{0};
  std::vector<std::string> names;
  bool named = false;
  for (std::int64_t part = 0; part < parts(split.name); ++part) {
    PartReader reader(part_file(split.name, part));
    for (std::int64_t i = 0; i < reader.count(); ++i) {
      PartReader::Entry entry = reader.next();
      reader.skip(entry.bytes);
      labels.push_back(entry.label);
      offsets.push_back(offsets.back() + static_cast<std::int64_t>(entry.bytes));
      named = named || !entry.name.empty();
      names.push_back(std::move(entry.name));
    }
  }
  const auto known = std::ranges::find(forms_, split.name, &std::pair<std::string, Form>::first);
  const Form form = known == forms_.end() ? Form{} : known->second;
  std::vector<hsize_t> extents{static_cast<hsize_t>(offsets.back())};
  std::uint64_t row_bytes = 1;
  if (form.pixels) {
    extents = {labels.size()};
    extents.insert(extents.end(), form.shape.begin(), form.shape.end());
    row_bytes = static_cast<std::uint64_t>(form.shape.count());
  } else {
    write_integers(group, "offsets", offsets, file_);
  }
  write_integers(group, "labels", labels, file_);
  if (named) write_strings(group, "names", names, file_);
  const Handle data = create(group, form.pixels ? "images" : "bytes", H5T_STD_U8LE, extents, row_bytes, options_.gzip, file_);
  Appender appender(data, extents, row_bytes, file_);
  for (std::int64_t part = 0; part < parts(split.name); ++part) {
    PartReader reader(part_file(split.name, part));
    for (std::int64_t i = 0; i < reader.count(); ++i) reader.read(appender.add(reader.next().bytes));
  }
  appender.flush(true);
}

void Hdf5Writer::write_file(hid_t file) const {
  write_attribute(file, digest(), file_);
  write_strings(file, "class_names", target_.class_names, file_);
  for (const Split& split : target_.splits) write_split(file, split);
}

/// In a child process: should the library crash, nothing but this file is lost.
void Hdf5Writer::assemble() const {
  AtomicFile target(file_);
  run_confined({.tag = tag, .task = "writing the file", .place = file_.string(), .remedy = "convert again"}, [&](Answer&) {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    Hdf5InFile storage(target);
    const Handle access(storage.access_list(), H5Pclose);
    Handle file(H5Fcreate(file_.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
    made(static_cast<bool>(file), file_, "it");
    write_file(file);
    const bool closed = file.close() >= 0;
    storage.check();
    made(closed, file_, "it");
  });
  target.commit();
}

void Hdf5Writer::finish() {
  if (!finished_) assemble();
  std::error_code error;
  fs::remove_all(parts_, error);
  if (error) fail(Error::Category::data, tag, fmt::format("cannot remove it: {}", error.message()), parts_.string());
}

}  // namespace qfw::hdf5_dataset
