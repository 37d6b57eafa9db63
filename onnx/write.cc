#include "qfw/onnx/write.h"

#include <fmt/format.h>

#include <memory>

#include "exact.h"
#include "file.h"
#include "floating.h"
#include "metadata.h"
#include "qdq.h"
#include "qfw/error.h"

namespace qfw::onnx {

namespace {

const char* name_of(Form form) { return form == Form::exact ? "exact" : form == Form::qdq ? "qdq" : "float"; }

/// The version of the file format that came with an opset: what readers of that opset know.
int ir_version(int opset) { return opset == 13 ? 8 : opset == 21 ? 10 : 13; }

void check(const WriteOptions& options) {
  const auto refuse = [](const std::string& what, std::string_view remedy) {
    fail(Error::Category::usage, "onnx", what, {}, remedy);
  };
  if (options.opset != 13 && options.opset != 21 && options.opset != 25) {
    refuse(fmt::format("opset = {} is asked for", options.opset), "there are 13, 21 and 25");
  }
  if (options.batch < 0) refuse(fmt::format("batch = {} is asked for", options.batch), "give 0 for any number of images");
  if (options.int8_only && options.form != Form::qdq) {
    refuse(fmt::format("int8_only is asked for with form = {}", name_of(options.form)), "it is of form = qdq: leave it out");
  }
}

std::unique_ptr<Translator> translator(const FrozenModel& model, const WriteOptions& options, File& file) {
  check(options);
  switch (options.form) {
    case Form::exact:
      return std::make_unique<Exact>(model, options, file);
    case Form::qdq:
      return std::make_unique<Qdq>(model, options, file);
    case Form::floating:
      break;
  }
  return std::make_unique<Floating>(model, options, file);
}

Exporter::Promise promise_of(Form form) {
  switch (form) {
    case Form::exact:
      return {.equal = true, .reason = {}};
    case Form::qdq:
      return {.equal = false,
              .reason = "batch normalisations are folded into scales, and runtimes requantize and add in ways of their own"};
    case Form::floating:
      break;
  }
  return {.equal = false, .reason = "runtimes add floats in orders of their own"};
}

}  // namespace

Exporter::Promise promise(const FrozenModel& model, const WriteOptions& options) {
  File file;
  translator(model, options, file)->run();
  return promise_of(options.form);
}

std::string write(const FrozenModel& model, const Exporter::Notes& notes, const WriteOptions& options) {
  File file;
  translator(model, options, file)->run();
  pb::ModelProto whole;
  whole.set_ir_version(ir_version(options.opset));
  whole.set_producer_name(std::string(producer));
  whole.set_producer_version(model.provenance.qfw);
  whole.add_opset_import()->set_version(options.opset);
  add_metadata(whole, model, name_of(options.form), promise_of(options.form), notes);
  file.graph().set_name("qfw");
  whole.mutable_graph()->Swap(&file.graph());
  std::string bytes;
  if (whole.ByteSizeLong() > std::size_t{0x7fffffff} || !whole.SerializeToString(&bytes)) {
    fail(Error::Category::usage, "onnx", fmt::format("the file would have {} bytes", whole.ByteSizeLong()), {},
         "a file of this kind ends at 2 GiB");
  }
  return bytes;
}

}  // namespace qfw::onnx
