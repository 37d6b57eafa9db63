#include <fmt/format.h>

#include <optional>
#include <string>
#include <string_view>

#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "qfw/exporter.h"
#include "qfw/onnx/check.h"
#include "qfw/onnx/write.h"
#include "qfw/onnx/written.h"
#include "qfw/plugin.h"
#include "qfw/regular_file.h"

namespace {

using namespace qfw;

class Onnx final : public Exporter {
 public:
  struct Options {
    std::string form = "exact", input = "normalized";
    std::optional<std::string> layout;
    int opset = 21;
    std::optional<bool> packed;
    bool int8_only = false;
    std::int64_t batch = 0;

    static void declare(Declare<Options>& option) {
      option("form", &Options::form,
             "exact: integer products, one node for each op, the bits of qfw's evaluation; qdq: QuantizeLinear and "
             "DequantizeLinear around products, for accelerators, close; float: floats alone, for anything, close",
             {.choices = {"exact", "qdq", "float"}});
      option("opset", &Options::opset,
             "of ONNX: 13 for old runtimes (ONNX Runtime 1.16), 21 with weights of up to 4 bits in UINT4 (1.20), 25 with "
             "those of 2 bits in UINT2 (1.24)",
             {.min = 13, .max = 25});
      option("packed", &Options::packed,
             "form = exact: weights of few levels in 2 or 4 bits, from opset 21 on; none: where the opset has them");
      option("input", &Options::input,
             "normalized: images as the network reads them, f32; pixels: u8 [N, H, W, C] in the order RGB, and what the run's "
             "augment makes of them is in the file",
             {.choices = {"normalized", "pixels"}});
      option("layout", &Options::layout, "axes of normalized images: nchw, or nhwc as qfw's own; none: nchw",
             {.choices = {"nchw", "nhwc"}});
      option("batch", &Options::batch, "images at a time; 0: any number", {.min = 0, .max = 65536});
      option("int8_only", &Options::int8_only,
             "form = qdq: all codes are INT8 with zero point 0, as TensorRT wants them; codes of activations must end at 127 "
             "(act_prec = 7)");
    }
  };

  explicit Onnx(const Options& options)
      : options_{.form = options.form == "exact" ? onnx::Form::exact
                         : options.form == "qdq" ? onnx::Form::qdq
                                                 : onnx::Form::floating,
                 .opset = options.opset,
                 .packed = options.packed.value_or(true),
                 .pixels = options.input == "pixels",
                 .nhwc = options.layout == "nhwc",
                 .batch = options.batch,
                 .int8_only = options.int8_only} {
    const auto refuse = [](const std::string& option, const std::string& with, std::string_view remedy) {
      fail(Error::Category::usage, "onnx", fmt::format("{} is asked for with {}", option, with), {}, remedy);
    };
    if (options.packed && options.form != "exact") {
      refuse("packed", "form = " + options.form, "it is of form = exact: leave it out");
    }
    if (options.packed.value_or(false) && options.opset < 21) {
      refuse("packed = true", fmt::format("opset = {}", options.opset), "opset 21 is the first that has such weights");
    }
    if (options.layout && options.input == "pixels") {
      refuse("layout = " + *options.layout, "input = pixels", "pixels are [N, H, W, C]: leave it out");
    }
  }

  std::vector<std::string> extensions() const override { return {"onnx"}; }
  Promise promise(const FrozenModel& model) const override { return onnx::promise(model, options_); }

  Runtime runtime() const override {
    Runtime runtime{.backend = "onnxruntime"};
    for (const char* level : {"disable_all", "basic", "extended", "all"}) {
      for (const char* threads : {"1", "2"}) runtime.ways.push_back({{"level", level}, {"threads", threads}});
    }
    return runtime;
  }

  void write(const FrozenModel& model, const Notes& notes, const std::filesystem::path& file) const override {
    write_text_atomically(file, onnx::write(model, notes, options_));
  }

  std::optional<Written> written(const std::filesystem::path& file) const override {
    const std::string bytes = read_text(file);
    return onnx::written(std::as_bytes(std::span(bytes)));
  }

  Difference difference(const std::filesystem::path& file, const std::filesystem::path& other) const override {
    const std::string a = read_text(file), b = read_text(other);
    return onnx::difference(std::as_bytes(std::span(a)), std::as_bytes(std::span(b)));
  }

  void write_check(const FrozenModel& model, const HostView& images, const HostView& logits,
                   const std::filesystem::path& folder) const override {
    onnx::write_check(model, options_, images, logits, folder);
  }

 private:
  onnx::WriteOptions options_;
};

}  // namespace

QFW_PLUGIN("exporter:onnx", .name = "onnx", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "networks as ONNX files")
(Registry& registry) { registry.add<Onnx>("onnx", "ONNX files: exact integers, QuantizeLinear pairs, or floats"); }
