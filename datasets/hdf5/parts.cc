#include "parts.h"

#include <algorithm>

#include "layout.h"
#include "qfw/error.h"

namespace qfw::hdf5_dataset {

namespace {

/// Little-endian, as the machine that made it: a part does not outlive its conversion.
struct Header {
  std::uint64_t magic = 0x0031'5448'5051'4651;
  std::int64_t count = 0, pixels = 0, shape[3] = {0, 0, 0};
};
struct Head {
  std::int64_t label = 0;
  std::uint64_t name = 0, bytes = 0;
};

std::span<const std::byte> bytes_of(const auto& value) { return std::as_bytes(std::span(&value, 1)); }

}  // namespace

PartWriter::PartWriter(const std::filesystem::path& path) : file_(path) { file_.write(bytes_of(Header{})); }

void PartWriter::add(std::int64_t label, std::string_view name, std::span<const std::byte> bytes) {
  file_.write(bytes_of(Head{.label = label, .name = name.size(), .bytes = bytes.size()}));
  file_.write(name);
  file_.write(bytes);
  ++count_;
}

void PartWriter::commit(const Form& form) {
  Header header{.count = count_, .pixels = form.pixels};
  std::copy(form.shape.begin(), form.shape.end(), header.shape);
  file_.write_at(0, bytes_of(header));
  file_.commit();
}

PartReader::PartReader(const std::filesystem::path& path) : path_(path), stream_(path, std::ios::binary) {
  Header header;
  stream_.read(reinterpret_cast<char*>(&header), sizeof header);
  if (header.magic != Header{}.magic) stream_.setstate(std::ios::failbit);
  checked();
  count_ = header.count;
  form_.pixels = header.pixels != 0;
  if (form_.pixels) form_.shape = {header.shape[0], header.shape[1], header.shape[2]};
}

void PartReader::checked() {
  if (stream_) return;
  fail(Error::Category::data, tag, "a finished part of the conversion cannot be read", path_.string(),
       "remove this file and convert again");
}

PartReader::Entry PartReader::next() {
  Head head;
  stream_.read(reinterpret_cast<char*>(&head), sizeof head);
  checked();
  if (head.name > std::uint64_t{1} << 20) stream_.setstate(std::ios::failbit);
  checked();
  Entry entry{.label = head.label, .name = std::string(head.name, '\0'), .bytes = head.bytes};
  stream_.read(entry.name.data(), static_cast<std::streamsize>(head.name));
  checked();
  return entry;
}

void PartReader::read(std::span<std::byte> to) {
  stream_.read(reinterpret_cast<char*>(to.data()), static_cast<std::streamsize>(to.size()));
  checked();
}

void PartReader::skip(std::uint64_t bytes) {
  stream_.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
  checked();
}

}  // namespace qfw::hdf5_dataset
