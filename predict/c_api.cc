#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include "predict/backends.h"
#include "predict/model_file.h"
#include "predict/picture_file.h"
#include "predict/predictor.h"
#include "predict/top.h"
#include "qfw/error.h"
#include "qfw_predict.h"

using qfw::Error;
using qfw::Example;
using qfw::Shape;

struct qfw_model {
  qfw_model(qfw::predict::ModelFile file, const qfw::predict::Predictor::MakeBackend& make,
            qfw::predict::Predictor::Settings settings)
      : form(std::move(file.form)), guarantee(std::move(file.guarantee)), predictor(std::move(file.model), make, settings) {
    for (const std::string& label : predictor.model().labels) labels.push_back(label.c_str());
  }

  std::string form, guarantee;
  qfw::predict::Predictor predictor;
  std::vector<const char*> labels;
};

namespace {

/// Kept short enough that no allocation is needed to tell that there was no memory.
thread_local std::string last_error;

void note(const char* text) noexcept {
  try {
    last_error = text;
  } catch (...) {
    last_error.clear();
  }
}

[[noreturn]] void misused(std::string_view what, std::string_view remedy = {}) {
  qfw::fail(Error::Category::usage, "qfw_predict", what, {}, remedy);
}

/// No exception leaves a function of C.
template <class Action>
qfw_status guarded(Action action) noexcept {
  last_error.clear();
  try {
    action();
    return QFW_OK;
  } catch (const Error& error) {
    note(error.what());
    switch (error.category()) {
      case Error::Category::usage:
        return QFW_ERROR_USAGE;
      case Error::Category::data:
        return QFW_ERROR_DATA;
      default:
        return QFW_ERROR_INTERNAL;
    }
  } catch (const std::bad_alloc&) {
    note("[qfw_predict] there is not enough memory; ask for a smaller batch or fewer lanes");
  } catch (const std::exception& error) {
    note(error.what());
  } catch (...) {
    note("[qfw_predict] an unknown error");
  }
  return QFW_ERROR_INTERNAL;
}

qfw_options checked(const qfw_options* given) {
  qfw_options options = {};
  if (given == nullptr) return options;
  if (given->size == 0) misused("qfw_options.size is 0", "set it to sizeof(qfw_options)");
  if (given->size > sizeof options) {
    misused(fmt::format("qfw_options has {} bytes, this library knows {}", given->size, sizeof options),
            "use the library that belongs to the header, or a newer one");
  }
  std::memcpy(&options, given, given->size);
  const auto check = [](const char* name, std::int32_t value, std::int32_t most) {
    if (value < 0 || value > most) misused(fmt::format("{} is {}", name, value), fmt::format("it is 0 to {}", most));
  };
  check("threads", options.threads, 1024);
  check("batch", options.batch, 4096);
  check("lanes", options.lanes, 1024);
  return options;
}

template <class Read>
qfw_model* open(Read read, const qfw_options* given, char* error, std::size_t error_size) noexcept {
  qfw_model* model = nullptr;
  const qfw_status status = guarded([&] {
    const qfw_options options = checked(given);
    const auto make = qfw::predict::backend_named(options.backend == nullptr ? "cpu" : options.backend, options.threads);
    model = new qfw_model(read(), make, {.batch = options.batch, .lanes = std::max(1, options.lanes)});
  });
  if (error != nullptr && error_size > 0) {
    const std::size_t length = std::min(last_error.size(), error_size - 1);
    std::memcpy(error, last_error.data(), length);
    error[length] = '\0';
  }
  return status == QFW_OK ? model : nullptr;
}

const qfw::predict::Predictor& predictor_of(const qfw_model* model) {
  if (model == nullptr) misused("the model is a null pointer");
  return model->predictor;
}

/// Room of the caller's for so many images.
std::span<float> logits_at(const qfw::predict::Predictor& predictor, float* logits, std::size_t count) {
  if (logits == nullptr && count > 0) misused("logits is a null pointer");
  const std::size_t most = PTRDIFF_MAX / sizeof(float) / std::max(predictor.classes(), predictor.image_elements());
  if (count > most) misused(fmt::format("{} images are more than memory holds", count));
  return {logits, count * predictor.classes()};
}

/// Rows that follow each other, copied to `rows` unless they do already.
Example example_of(const qfw_picture& picture, std::vector<std::uint8_t>& rows) {
  const auto& [pixels, height, width, channels, row_stride] = picture;
  if (pixels == nullptr) misused("a picture's pixels are a null pointer");
  constexpr std::int64_t most = std::int64_t{1} << 28;
  if (height < 1 || width < 1 || channels < 1 || std::int64_t{height} * width > most / channels) {
    misused(fmt::format("a picture is [{}, {}, {}]", height, width, channels), "extents are at least 1, pixels 2^28 at most");
  }
  const auto row = static_cast<std::size_t>(width) * static_cast<std::size_t>(channels);
  const std::size_t stride = row_stride == 0 ? row : row_stride;
  if (stride < row) misused(fmt::format("row_stride is {}, a row has {} bytes", row_stride, row));
  const auto count = static_cast<std::size_t>(height) * row;
  std::span<const std::uint8_t> bytes(pixels, count);
  if (stride != row) {
    rows.resize(count);
    for (std::size_t y = 0; y < static_cast<std::size_t>(height); ++y) std::memcpy(&rows[y * row], pixels + y * stride, row);
    bytes = rows;
  }
  return {.encoding = Example::Encoding::pixels, .shape = Shape{height, width, channels}, .bytes = std::as_bytes(bytes)};
}

}  // namespace

extern "C" {

qfw_model* qfw_model_open(const char* path, const qfw_options* options, char* error, size_t error_size) {
  return open(
      [&] {
        if (path == nullptr) misused("the path is a null pointer");
        return qfw::predict::model_file(path);
      },
      options, error, error_size);
}

qfw_model* qfw_model_open_bytes(const void* bytes, size_t size, const qfw_options* options, char* error, size_t error_size) {
  return open(
      [&] {
        if (bytes == nullptr) misused("the bytes are a null pointer");
        return qfw::predict::model_bytes({static_cast<const std::byte*>(bytes), size});
      },
      options, error, error_size);
}

void qfw_model_close(qfw_model* model) { delete model; }

qfw_status qfw_model_info(const qfw_model* model, qfw_info* info) {
  return guarded([&] {
    const auto& predictor = predictor_of(model);
    if (info == nullptr) misused("info is a null pointer");
    if (info->size < sizeof info->size) misused(fmt::format("qfw_info.size is {}", info->size), "set it to sizeof(qfw_info)");
    const Shape image = predictor.model().image();
    const auto& preparation = predictor.model().preparation;
    qfw_info full = {};
    full.size = std::min(info->size, sizeof full);
    full.height = static_cast<std::int32_t>(image[0]);
    full.width = static_cast<std::int32_t>(image[1]);
    full.channels = static_cast<std::int32_t>(image[2]);
    full.classes = static_cast<std::int32_t>(predictor.classes());
    full.labels = model->labels.empty() ? nullptr : model->labels.data();
    full.form = model->form.c_str();
    full.guarantee = model->guarantee.c_str();
    full.backend = predictor.backend().c_str();
    full.takes_pictures = preparation.has_value();
    full.any_size = preparation && preparation->fit != qfw::image::Preparation::Fit::exact;
    full.batch = predictor.batch();
    full.lanes = predictor.lanes();
    std::memcpy(info, &full, full.size);
  });
}

qfw_status qfw_predict_floats(const qfw_model* model, const float* images, size_t count, float* logits) {
  return guarded([&] {
    const auto& predictor = predictor_of(model);
    const std::span<float> to = logits_at(predictor, logits, count);
    if (images == nullptr && count > 0) misused("images is a null pointer");
    predictor.images({images, count * predictor.image_elements()}, to);
  });
}

qfw_status qfw_predict_pixels(const qfw_model* model, const qfw_picture* pictures, size_t count, float* logits) {
  return guarded([&] {
    const auto& predictor = predictor_of(model);
    const std::span<float> to = logits_at(predictor, logits, count);
    if (pictures == nullptr && count > 0) misused("pictures is a null pointer");
    std::vector<std::vector<std::uint8_t>> rows(count);
    std::vector<Example> examples;
    for (std::size_t i = 0; i < count; ++i) examples.push_back(example_of(pictures[i], rows[i]));
    predictor.pictures(examples, to);
  });
}

qfw_status qfw_predict_file(const qfw_model* model, const char* path, float* logits) {
  return guarded([&] {
    const auto& predictor = predictor_of(model);
    const std::span<float> to = logits_at(predictor, logits, 1);
    if (path == nullptr) misused("the path is a null pointer");
    const Example example = qfw::predict::picture_file(path);
    try {
      predictor.pictures({&example, 1}, to);
    } catch (const Error& error) {
      throw Error(error.category(), fmt::format("{} ({})", error.what(), path));
    }
  });
}

qfw_status qfw_predict_encoded(const qfw_model* model, const void* bytes, size_t size, float* logits) {
  return guarded([&] {
    const auto& predictor = predictor_of(model);
    const std::span<float> to = logits_at(predictor, logits, 1);
    if (bytes == nullptr) misused("the bytes are a null pointer");
    const Example example = qfw::predict::picture_bytes({static_cast<const std::byte*>(bytes), size});
    predictor.pictures({&example, 1}, to);
  });
}

size_t qfw_top(const float* logits, size_t classes, size_t k, qfw_score* scores) {
  std::size_t written = 0;
  guarded([&] {
    if (logits == nullptr || scores == nullptr) misused("logits or scores is a null pointer");
    for (const auto& score : qfw::predict::top({logits, classes}, k)) {
      scores[written++] = {static_cast<std::int32_t>(score.index), score.logit, score.probability};
    }
  });
  return written;
}

const char* qfw_last_error(void) { return last_error.c_str(); }

const char* qfw_predict_version(void) { return QFW_PREDICT_VERSION; }

}  // extern "C"
