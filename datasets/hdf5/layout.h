#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "qfw/confined.h"
#include "qfw/tensor.h"

/// Other programs' files are read by the library in a child process only (qfw/confined.h), which tells what is in them and
/// where; pictures are then read from the file itself.
namespace qfw::hdf5_dataset {

inline constexpr const char* tag = "hdf5";
inline constexpr const char* conversion_attribute = "qfw_conversion";

/// A data set of bytes (u8): contiguous, or chunked along its first axis with or without the filters shuffle and gzip.
struct ArrayLayout {
  struct Chunk {
    std::uint64_t offset = 0, bytes = 0;
    bool plain = true;  ///< stored as it is
  };
  std::string place;  ///< for messages
  Shape shape;
  std::uint64_t chunk_bytes = 0;  ///< of a whole one, once decompressed
  std::vector<Chunk> chunks;
};

struct SplitLayout {
  std::string name;
  bool encoded = false;  ///< `pictures` are `bytes`, cut by `offsets`; else `images`
  ArrayLayout pictures;
  std::vector<std::int64_t> offsets, labels;
  std::vector<std::string> names;

  std::size_t count() const { return labels.size(); }
};

struct FileLayout {
  std::vector<SplitLayout> splits;
  std::vector<std::string> class_names;  ///< none: classes are those of the labels
  std::string conversion;                ///< the writer's note, in files that it made
};

/// Throws Error::Category::data for anything that cannot be a data set, naming it and saying what is expected.
FileLayout read_layout(const RegularFile& file);

/// What read_layout() calls in the child process.
FileLayout explore(const RegularFile& file);

}  // namespace qfw::hdf5_dataset
