#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "qfw/frozen_model.h"

namespace qfw {

/// Writes a trained network as a file that other programs run or read: behind `qfw export`.
class QFW_API Exporter {
 public:
  using Interface = Exporter;
  static constexpr const char* kind = "exporter";  ///< its word on the command line: --exporter.KEY=VALUE sets an option

  Exporter() = default;
  Exporter(const Exporter&) = delete;
  Exporter& operator=(const Exporter&) = delete;
  virtual ~Exporter();

  /// How names of its files end, the usual one first: "onnx". `qfw export` chooses by them where it is given no exporter.
  virtual std::vector<std::string> extensions() const = 0;

  /// What users may take for granted of a file.
  struct Promise {
    bool equal = false;  ///< whatever runs it by the rules of its format gives the bits of qfw's evaluation
    std::string reason;  ///< why only close; empty if equal
  };
  /// Of what write() would make of the model. Throws Error::Category::usage, naming the layer, for one it cannot write.
  virtual Promise promise(const FrozenModel& model) const = 0;

  /// What can run such a file, for `qfw export --verify`: a backend plugin whose option `model` names one.
  struct Runtime {
    std::string backend;  ///< empty: nothing here does
    /// Options of it, (name, value), under each of which the file must give the same bits: levels of optimization, threads.
    std::vector<std::vector<std::pair<std::string, std::string>>> ways;
  };
  virtual Runtime runtime() const;

  /// (name, text) that readers are told beside what the file says by itself: what was proven of it.
  using Notes = std::vector<std::pair<std::string, std::string>>;
  /// The file appears by rename. Throws as promise() does, and Error::Category::data where it cannot be written. Equal
  /// arguments give equal bytes.
  virtual void write(const FrozenModel& model, const Notes& notes, const std::filesystem::path& file) const = 0;

  /// What a file says of itself beside its network.
  struct Written {
    FrozenModel::Provenance provenance;
    Notes notes;
  };
  /// Of a file that write() made, of whatever model and with whatever options; none: of any other, damaged ones too. `qfw
  /// export` replaces no file of which nothing is known here; the default knows none. The file may be a stranger's. Throws
  /// Error::Category::data only for one that cannot be read.
  virtual std::optional<Written> written(const std::filesystem::path& file) const;
  struct Difference {
    std::string what;       ///< in words of the format: "initializer dense/weights/codes differs"
    bool computed = false;  ///< of the network itself: where it counts, logits differ, too; else of what is said beside it
  };
  /// The first that tells two unequal files of write() apart. The default names a byte.
  virtual Difference difference(const std::filesystem::path& file, const std::filesystem::path& other) const;

  /// Images for programs on other devices to try the file with, and what they must get: written into `folder`, which is there,
  /// in the way that users of the format know. `images` are prepared ones, f32 [n, H, W, C], `logits` qfw's, f32 [n, classes].
  /// Throws Error::Category::usage where the format has no such way.
  virtual void write_check(const FrozenModel& model, const HostView& images, const HostView& logits,
                           const std::filesystem::path& folder) const;
};

}  // namespace qfw
