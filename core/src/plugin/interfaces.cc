#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/calibrator.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/dataset_writer.h"
#include "qfw/error.h"
#include "qfw/exporter.h"
#include "qfw/format.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/random.h"
#include "qfw/regular_file.h"
#include "qfw/schedule.h"

// The destructors stand here so that the core alone holds each interface's type information; and what an interface does where
// a plugin has nothing to say.
namespace qfw {

Augment::~Augment() = default;
Backend::~Backend() = default;
Calibrator::~Calibrator() = default;
Communicator::~Communicator() = default;
Dataset::~Dataset() = default;
DatasetWriter::~DatasetWriter() = default;
Executable::~Executable() = default;
void Executable::prefetch(std::span<const HostView>) {}
Exporter::~Exporter() = default;
Format::~Format() = default;
Layer::~Layer() = default;
Optimizer::~Optimizer() = default;
Quantizer::~Quantizer() = default;
Schedule::~Schedule() = default;

std::string Dataset::place(std::string_view split, std::int64_t index) const {
  return fmt::format("example {} of {}", index, split);
}

Dataset::Identity Dataset::identity(std::string_view split) const {
  std::string text = fmt::format("{} of {}, {}\n", size(split), split, shape().str());
  for (std::int64_t label = 0; label < classes(); ++label) text += class_name(label) + '\n';
  return {.content = hash_of(text)};
}

std::vector<std::string> Schedule::notes(const Clock&) const { return {}; }
std::vector<std::string> Backend::notes(const Graph&) const { return {}; }

Communicator& Communicator::local(int i) {
  if (i != 0) fail(Error::Category::internal, "communicator", "it has one replica in this process");
  return *this;
}

Communicator::Ticket Communicator::start(HostTensor data, Reduction how) {
  if (data.type.dtype == DType::f32) {
    all_reduce(data.as<float>(), how);
    return {};
  }
  if (data.type.dtype != DType::bf16) {
    fail(Error::Category::internal, "communicator", fmt::format("it reduces f32 and bf16, this is {}", data.type.str()));
  }
  const auto values = data.as<BFloat16>();
  std::vector<float> wide(values.size());
  std::ranges::transform(values, wide.begin(), [](BFloat16 value) { return static_cast<float>(value); });
  all_reduce(wide, how);
  std::ranges::transform(wide, values.begin(), [](float value) { return BFloat16(value); });
  return {};
}

void Communicator::wait(Ticket) {}

std::vector<std::vector<std::byte>> Communicator::all_gather(std::span<const std::byte> mine) {
  std::vector<std::vector<std::byte>> all(static_cast<std::size_t>(size()));
  for (int root = 0; root < size(); ++root) {
    auto& part = all[static_cast<std::size_t>(root)];
    std::uint64_t length = mine.size();
    broadcast(std::as_writable_bytes(std::span(&length, 1)), root);
    part.resize(static_cast<std::size_t>(length));
    if (root == rank() && !mine.empty()) std::memcpy(part.data(), mine.data(), mine.size());
    broadcast(part, root);
  }
  return all;
}

std::string Format::from_recipe(const Run&, std::string_view) const {
  fail(Error::Category::usage, "format", "it reads configurations and does not write them");
}

std::string Format::generate(std::span<const std::pair<std::string, std::string>>, std::string_view) const {
  fail(Error::Category::usage, "format", "it reads configurations and does not write them");
}

std::vector<Format::Tensor> Format::tensors(std::span<const Variable>, std::span<const std::string>) const {
  fail(Error::Category::usage, "format", "it knows configurations and no weights");
}

bool Format::recognizes(std::span<const std::string>) const { return false; }
bool Format::is_incidental(std::string_view) const { return false; }

Exporter::Runtime Exporter::runtime() const { return {}; }

std::optional<Exporter::Written> Exporter::written(const std::filesystem::path&) const { return {}; }

Exporter::Difference Exporter::difference(const std::filesystem::path& file, const std::filesystem::path& other) const {
  const std::string a = read_text(file), b = read_text(other);
  const auto at = std::ranges::mismatch(a, b).in1 - a.begin();
  return {.what = fmt::format("byte {} of {} differs", at, a.size())};
}

void Exporter::write_check(const FrozenModel&, const HostView&, const HostView&, const std::filesystem::path&) const {
  fail(Error::Category::usage, "export", "files of this exporter have no form for images to try them with", {},
       "leave out --check");
}

std::optional<image::Preparation> Augment::preparation(const Shape&) const { return {}; }

}  // namespace qfw
