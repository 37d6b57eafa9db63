#include "qfw/onnx/check.h"

#include <fmt/format.h>

#include <span>
#include <string>
#include <system_error>
#include <vector>

#include "onnx.pb.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/onnx/pixels.h"

namespace qfw::onnx {
namespace {

namespace fs = std::filesystem;

void write_tensor(const fs::path& file, const char* name, pb::TensorProto::DataType type, const std::vector<std::int64_t>& dims,
                  std::string bytes) {
  pb::TensorProto tensor;
  tensor.set_name(name);
  tensor.set_data_type(type);
  for (const std::int64_t extent : dims) tensor.add_dims(extent);
  tensor.set_raw_data(std::move(bytes));
  write_text_atomically(file, tensor.SerializeAsString());
}

std::string bytes_of_floats(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

std::string pixels_of(const FrozenModel& model, std::span<const float> images) {
  if (!model.preparation) fail(Error::Category::usage, "export", "nothing is known of the pixels that images are made of");
  const Pixels pixels(*model.preparation);
  std::string bytes(images.size(), '\0');
  if (const auto astray = pixels.take(images, std::as_writable_bytes(std::span(bytes)))) {
    fail(Error::Category::usage, "export",
         fmt::format("{} in an image of the data set stands for no pixel, and the model takes pixels", images[*astray]), {},
         "leave out --check");
  }
  return bytes;
}

std::string channels_first(std::span<const float> images, const Shape& image) {
  const auto positions = static_cast<std::size_t>(image[0] * image[1]), channels = static_cast<std::size_t>(image[2]);
  std::vector<float> turned(images.size());
  for (std::size_t i = 0; i < images.size(); ++i) {
    const std::size_t which = i / (positions * channels), position = i / channels % positions, channel = i % channels;
    turned[(which * channels + channel) * positions + position] = images[i];
  }
  return bytes_of_floats(turned);
}

}  // namespace

void write_check(const FrozenModel& model, const WriteOptions& options, const HostView& images, const HostView& logits,
                 const fs::path& folder) {
  const Shape image = model.image();
  const std::int64_t all = images.type.shape[0], batch = options.batch > 0 ? options.batch : all;
  if (all < batch) {
    fail(Error::Category::usage, "export", fmt::format("too few images ({}) for a model of batches of {}", all, batch), {},
         fmt::format("--check={} does", batch));
  }
  for (std::int64_t set = 0; (set + 1) * batch <= all; ++set) {
    const fs::path to = folder / fmt::format("test_data_set_{}", set);
    std::error_code error;
    fs::create_directory(to, error);
    if (error) fail_writing(to, error.value());
    const auto part = [&](const HostView& view, std::int64_t size) {
      return view.as<float>().subspan(static_cast<std::size_t>(set * batch * size), static_cast<std::size_t>(batch * size));
    };
    const std::span<const float> fed = part(images, image.count());
    if (options.pixels) {
      write_tensor(to / "input_0.pb", "pixels", pb::TensorProto::UINT8, {batch, image[0], image[1], image[2]},
                   pixels_of(model, fed));
    } else if (options.nhwc) {
      write_tensor(to / "input_0.pb", "images", pb::TensorProto::FLOAT, {batch, image[0], image[1], image[2]},
                   bytes_of_floats(fed));
    } else {
      write_tensor(to / "input_0.pb", "images", pb::TensorProto::FLOAT, {batch, image[2], image[0], image[1]},
                   channels_first(fed, image));
    }
    write_tensor(to / "output_0.pb", "logits", pb::TensorProto::FLOAT, {batch, model.classes()},
                 bytes_of_floats(part(logits, model.classes())));
  }
}

}  // namespace qfw::onnx
