#include <fmt/format.h>

#include <bit>
#include <cmath>

#include "plugin/guard.h"
#include "qfw/augment.h"
#include "qfw/calibrator.h"
#include "qfw/dataset.h"
#include "qfw/dataset_writer.h"
#include "qfw/error.h"
#include "qfw/exporter.h"
#include "qfw/format.h"

// Forwarders of the kinds that deal with data; see guard.h.
namespace qfw {

namespace {

/// Written so that it becomes a few vector instructions: a picture is checked in microseconds.
std::size_t count_not_finite(std::span<const float> values) {
  std::uint32_t count = 0;
  for (const float value : values) count += (std::bit_cast<std::uint32_t>(value) & 0x7f800000u) == 0x7f800000u;
  return count;
}

class GuardedAugment final : public Guard<Augment> {
 public:
  using Guard::Guard;
  Shape output(const Shape& source) const override {
    return call("output()", [&] { return inner().output(source); });
  }
  void apply(const Example& example, RandomStream& random, bool training, std::span<float> image) const override {
    call("apply()", [&] { inner().apply(example, random, training, image); });
    if (const std::size_t bad = count_not_finite(image); bad > 0) {
      fail(Error::Category::plugin, "augment",
           fmt::format("{} made an image in which {} of {} values are not finite", plugin()->name, bad, image.size()));
    }
  }
  std::optional<image::Preparation> preparation(const Shape& source) const override {
    auto preparation = call("preparation()", [&] { return inner().preparation(source); });
    if (preparation) image::check(*preparation);
    return preparation;
  }
};

class GuardedCalibrator final : public Guard<Calibrator> {
 public:
  using Guard::Guard;
  double bound(const Histogram& histogram, const Levels& levels) const override {
    const double bound = call("bound()", [&] { return inner().bound(histogram, levels); });
    if (bound > 0 && std::isfinite(bound)) return bound;
    fail(Error::Category::plugin, "calibrator",
         fmt::format("{} chose the bound {} for values up to {}", plugin()->name, bound, histogram.largest), {},
         "a bound is a finite number above 0");
  }
};

class GuardedDataset final : public Guard<Dataset> {
 public:
  using Guard::Guard;
  std::int64_t classes() const override {
    return call("classes()", [&] { return inner().classes(); });
  }
  Shape shape() const override {
    return call("shape()", [&] { return inner().shape(); });
  }
  std::vector<std::string> splits() const override {
    return call("splits()", [&] { return inner().splits(); });
  }
  std::int64_t size(std::string_view split) const override {
    return call("size()", [&] { return inner().size(split); });
  }
  Example get(std::string_view split, std::int64_t index) const override {
    const auto place = [&] { return fmt::format("example {} of {}", index, split); };
    Example example = call("get()", place, [&] { return inner().get(split, index); });
    const bool pixels = example.encoding == Example::Encoding::pixels;
    if (pixels && (example.shape.rank() != 3 || static_cast<std::int64_t>(example.bytes.size()) != example.shape.count())) {
      fail(Error::Category::plugin, "dataset",
           fmt::format("{} gave pixels of shape {} in {} bytes", plugin()->name, example.shape.str(), example.bytes.size()),
           place(), "pixels are [height, width, channels], a byte each");
    }
    return example;
  }
  Identity identity(std::string_view split) const override {
    return call("identity()", [&] { return inner().identity(split); });
  }
  std::vector<std::string> notes(std::string_view split) const override {
    return call("notes()", [&] { return inner().notes(split); });
  }
  std::string class_name(std::int64_t label) const override {
    return call(
        "class_name()", [&] { return fmt::format("label {}", label); }, [&] { return inner().class_name(label); });
  }
  std::string place(std::string_view split, std::int64_t index) const override {
    return call(
        "place()", [&] { return fmt::format("example {} of {}", index, split); }, [&] { return inner().place(split, index); });
  }
};

auto part_of(std::string_view split, std::int64_t part) {
  return [=] { return fmt::format("part {} of {}", part, split); };
}

class GuardedWriter final : public Guard<DatasetWriter> {
 public:
  using Guard::Guard;
  bool takes(Example::Encoding encoding) const override {
    return call("takes()", [&] { return inner().takes(encoding); });
  }
  void begin(const Target& target) override {
    call("begin()", [&] { inner().begin(target); });
  }
  std::int64_t parts(std::string_view split) const override {
    return call("parts()", [&] { return inner().parts(split); });
  }
  std::pair<std::int64_t, std::int64_t> range(std::string_view split, std::int64_t part) const override {
    return call("range()", part_of(split, part), [&] { return inner().range(split, part); });
  }
  bool has(std::string_view split, std::int64_t part) const override {
    return call("has()", part_of(split, part), [&] { return inner().has(split, part); });
  }
  void write(std::string_view split, std::int64_t part, const Source& source) override {
    call("write()", part_of(split, part), [&] { inner().write(split, part, source); });
  }
  void finish() override {
    call("finish()", [&] { inner().finish(); });
  }
};

class GuardedExporter final : public Guard<Exporter> {
 public:
  using Guard::Guard;
  std::vector<std::string> extensions() const override {
    return call("extensions()", [&] { return inner().extensions(); });
  }
  Promise promise(const FrozenModel& model) const override {
    return call("promise()", [&] { return inner().promise(model); });
  }
  Runtime runtime() const override {
    return call("runtime()", [&] { return inner().runtime(); });
  }
  void write(const FrozenModel& model, const Notes& notes, const std::filesystem::path& file) const override {
    call("write()", [&] { inner().write(model, notes, file); });
  }
  std::optional<Written> written(const std::filesystem::path& file) const override {
    return call("written()", [&] { return inner().written(file); });
  }
  Difference difference(const std::filesystem::path& file, const std::filesystem::path& other) const override {
    return call("difference()", [&] { return inner().difference(file, other); });
  }
  void write_check(const FrozenModel& model, const HostView& images, const HostView& logits,
                   const std::filesystem::path& folder) const override {
    call("write_check()", [&] { inner().write_check(model, images, logits, folder); });
  }
};

class GuardedFormat final : public Guard<Format> {
 public:
  using Guard::Guard;
  std::vector<Setting> to_recipe(std::string_view text) const override {
    return call("to_recipe()", [&] { return inner().to_recipe(text); });
  }
  std::vector<Setting> assumed() const override {
    return call("assumed()", [&] { return inner().assumed(); });
  }
  std::vector<Alias> aliases() const override {
    return call("aliases()", [&] { return inner().aliases(); });
  }
  std::vector<Form> forms() const override {
    return call("forms()", [&] { return inner().forms(); });
  }
  std::string from_recipe(const Run& run, std::string_view form) const override {
    return call("from_recipe()", [&] { return inner().from_recipe(run, form); });
  }
  std::vector<Flag> flags() const override {
    return call("flags()", [&] { return inner().flags(); });
  }
  std::string generate(std::span<const std::pair<std::string, std::string>> flags, std::string_view form) const override {
    return call("generate()", [&] { return inner().generate(flags, form); });
  }
  std::vector<Tensor> tensors(std::span<const Variable> variables, std::span<const std::string> names) const override {
    return call("tensors()", [&] { return inner().tensors(variables, names); });
  }
  bool recognizes(std::span<const std::string> names) const override {
    return call("recognizes()", [&] { return inner().recognizes(names); });
  }
  bool is_incidental(std::string_view name) const override {
    return call("is_incidental()", [&] { return inner().is_incidental(name); });
  }
  std::vector<Setting> required() const override {
    return call("required()", [&] { return inner().required(); });
  }
};

}  // namespace

std::unique_ptr<Augment> guarded(PluginNamePtr plugin, std::unique_ptr<Augment> inner) {
  return std::make_unique<GuardedAugment>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Calibrator> guarded(PluginNamePtr plugin, std::unique_ptr<Calibrator> inner) {
  return std::make_unique<GuardedCalibrator>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Dataset> guarded(PluginNamePtr plugin, std::unique_ptr<Dataset> inner) {
  return std::make_unique<GuardedDataset>(std::move(plugin), std::move(inner));
}
std::unique_ptr<DatasetWriter> guarded(PluginNamePtr plugin, std::unique_ptr<DatasetWriter> inner) {
  return std::make_unique<GuardedWriter>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Exporter> guarded(PluginNamePtr plugin, std::unique_ptr<Exporter> inner) {
  return std::make_unique<GuardedExporter>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Format> guarded(PluginNamePtr plugin, std::unique_ptr<Format> inner) {
  return std::make_unique<GuardedFormat>(std::move(plugin), std::move(inner));
}

}  // namespace qfw
