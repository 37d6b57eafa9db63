#include "predict/model_file.h"

#include <fmt/format.h>

#include "qfw/error.h"
#include "qfw/onnx/read.h"
#include "qfw/regular_file.h"

namespace qfw::predict {

namespace {
constexpr std::uint64_t most_bytes = (std::uint64_t{1} << 31) - 1;  // of a protobuf message
}

ModelFile model_bytes(std::span<const std::byte> bytes) {
  if (bytes.size() > most_bytes) {
    fail(Error::Category::data, "predict", fmt::format("a model of {} bytes", bytes.size()), {}, "ONNX files end below 2 GiB");
  }
  ModelFile file;
  for (const auto& [name, text] : onnx::metadata(bytes)) {
    if (name == "qfw.form") file.form = text;
    if (name == "qfw.guarantee") file.guarantee = text;
  }
  file.model = onnx::read(bytes, 1);
  return file;
}

ModelFile model_file(const std::filesystem::path& path) {
  const RegularFile file(path, "name a file that `qfw export` wrote");
  if (file.size() > most_bytes) {
    fail(Error::Category::data, "predict", fmt::format("{} has {} bytes", path.string(), file.size()), {},
         "ONNX files end below 2 GiB");
  }
  const std::string text = file.text();
  try {
    return model_bytes(std::as_bytes(std::span(text)));
  } catch (const Error& error) {
    throw Error(error.category(), std::string(error.what()) + " (" + path.string() + ")");
  }
}

}  // namespace qfw::predict
