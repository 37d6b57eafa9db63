#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qfw/dataset.h"

namespace qfw {

/// A form in which `qfw data convert` can store any data set. A split is written in parts, each of which is complete or not
/// there, so that a conversion that was stopped goes on with the part it was at.
class QFW_API DatasetWriter {
 public:
  using Interface = DatasetWriter;
  static constexpr const char* kind = "writer";  ///< its word on the command line

  struct Split {
    std::string name;
    std::int64_t examples = 0;
  };
  /// What is to be written, and where.
  struct Target {
    std::filesystem::path folder;
    std::vector<Split> splits;
    std::vector<std::string> class_names;
  };
  /// The example of a part: 0, 1, ... Called in order, from one thread; what it returns lives until the next call.
  using Source = std::function<Example(std::int64_t index)>;

  DatasetWriter() = default;
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;
  virtual ~DatasetWriter();

  /// Whether encoded pictures can be stored as they are. By default what every reader of the common forms knows.
  virtual bool takes(Example::Encoding encoding) const { return encoding != Example::Encoding::webp; }
  /// Throws for what this form cannot hold, before anything is written.
  virtual void begin(const Target& target) = 0;
  virtual std::int64_t parts(std::string_view split) const = 0;
  /// [first, last) of a split's examples.
  virtual std::pair<std::int64_t, std::int64_t> range(std::string_view split, std::int64_t part) const = 0;
  virtual bool has(std::string_view split, std::int64_t part) const = 0;
  virtual void write(std::string_view split, std::int64_t part, const Source& source) = 0;
  virtual void finish() = 0;  ///< when every part is there: makes the folder readable as a data set
};

}  // namespace qfw
