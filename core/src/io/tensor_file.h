#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "qfw/tensor.h"

namespace qfw {

struct NamedTensor {
  std::string name;  ///< '/' makes groups
  HostView value;
};
/// The attribute `format` of what is written here, which tells it from other people's files.
inline constexpr const char *weights_format = "qfw weights", *logits_format = "qfw logits";
/// Whether a file, perhaps a stranger's, is HDF5 with that attribute. Throws Error::Category::data for one that cannot be read.
bool has_format(const std::filesystem::path& path, std::string_view format);

/// An HDF5 file of these tensors, by rename.
void write_tensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors);

/// `qfw eval --logits`: data sets `logits` f32[N, classes] and `labels` s32[N], appended batch by batch.
class LogitsFile {
 public:
  LogitsFile(const std::filesystem::path& path, std::int64_t classes);
  LogitsFile(const LogitsFile&) = delete;
  LogitsFile& operator=(const LogitsFile&) = delete;
  ~LogitsFile();

  void append(std::span<const float> logits, std::span<const std::int32_t> labels);
  void commit();  ///< the file appears under its name

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qfw
