#include "layout.h"

#include "checks.h"

namespace qfw::hdf5_dataset {

namespace {

void put(Answer& to, const std::vector<std::string>& texts) {
  to.put<std::uint64_t>(texts.size());
  for (const std::string& text : texts) to.put_text(text);
}

std::vector<std::string> take_texts(Received& from) {
  std::vector<std::string> texts;
  for (auto count = from.take<std::uint64_t>(); count > 0; --count) texts.push_back(from.take_text());
  return texts;
}

void put(Answer& to, const SplitLayout& split) {
  const ArrayLayout& pictures = split.pictures;
  to.put_text(split.name);
  to.put(split.encoded);
  to.put_text(pictures.place);
  to.put_list(std::span<const std::int64_t>(pictures.shape.begin(), pictures.shape.end()));
  to.put(pictures.chunk_bytes), to.put_list<ArrayLayout::Chunk>(pictures.chunks);
  to.put_list<std::int64_t>(split.offsets), to.put_list<std::int64_t>(split.labels);
  put(to, split.names);
}

SplitLayout take_split(Received& from) {
  SplitLayout split;
  split.name = from.take_text();
  split.encoded = from.take<bool>();
  split.pictures.place = from.take_text();
  split.pictures.shape = Shape(from.take_list<std::int64_t>());
  split.pictures.chunk_bytes = from.take<std::uint64_t>();
  split.pictures.chunks = from.take_list<ArrayLayout::Chunk>();
  split.offsets = from.take_list<std::int64_t>();
  split.labels = from.take_list<std::int64_t>();
  split.names = take_texts(from);
  return split;
}

}  // namespace

FileLayout read_layout(const RegularFile& file) {
  Received from = run_confined(confinement_for(file, tag), [&](Answer& to) {
    const FileLayout layout = explore(file);
    put(to, layout.class_names);
    to.put_text(layout.conversion);
    to.put<std::uint64_t>(layout.splits.size());
    for (const SplitLayout& split : layout.splits) put(to, split);
  });
  FileLayout layout;
  layout.class_names = take_texts(from);
  layout.conversion = from.take_text();
  for (auto count = from.take<std::uint64_t>(); count > 0; --count) layout.splits.push_back(take_split(from));
  check(layout, file.path().string());
  return layout;
}

}  // namespace qfw::hdf5_dataset
