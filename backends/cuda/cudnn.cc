#include "cudnn.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <deque>

#include "qfw/error.h"

namespace qfw::cuda {

namespace cudnn {
namespace {

const char* name_of(Kind kind) {
  switch (kind) {
    case Kind::pointwise:
      return "pointwise";
    case Kind::convolution:
      return "convolution";
    case Kind::engine:
      return "engine";
    case Kind::engine_config:
      return "engine configuration";
    case Kind::heuristics:
      return "heuristics";
    case Kind::plan:
      return "execution plan";
    case Kind::forward:
      return "forward convolution";
    case Kind::backward_filter:
      return "convolution's weights' gradient";
    case Kind::backward_data:
      return "convolution's data gradient";
    case Kind::pointwise_operation:
      return "pointwise operation";
    case Kind::graph:
      return "operation graph";
    case Kind::variant_pack:
      return "variant pack";
    case Kind::tensor:
      return "tensor";
    case Kind::device_properties:
      return "device properties";
  }
  return "?";
}

}  // namespace

Cudnn::Cudnn(const Library& library) {
#define QFW_CUDNN_BIND(result, name, parameters) library.bind(name, #name);
  QFW_CUDNN_FUNCTIONS(QFW_CUDNN_BIND)
#undef QFW_CUDNN_BIND
}

std::string Cudnn::version() const {
  const std::size_t version = cudnnGetVersion();
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::string Cudnn::reason(int status) const {
  std::array<char, 512> last{};
  cudnnGetLastErrorString(last.data(), last.size() - 1);
  const char* name = cudnnGetErrorString(status);
  const std::string which = name == nullptr ? fmt::format("status {}", status) : name;
  return last[0] == '\0' ? which : fmt::format("{}, {}", which, last.data());
}

void Cudnn::check(int status, std::string_view call, std::string_view where) const {
  if (status == success) return;
  fail(Error::Category::device, "cuda", fmt::format("{} failed: {}", call, reason(status)), where);
}

Descriptor::Descriptor(std::shared_ptr<const Cudnn> library, Kind kind) : library_(std::move(library)), kind_(kind) {
  const int status = library_->cudnnBackendCreateDescriptor(static_cast<int>(kind), &raw_);
  if (status != success) library_->check(status, "cudnnBackendCreateDescriptor", where());
}

Descriptor::~Descriptor() {
  if (raw_ != nullptr) library_->cudnnBackendDestroyDescriptor(raw_);
}

std::string Descriptor::where() const { return fmt::format("{}, cuDNN {}", name_of(kind_), library_->version()); }

void Descriptor::set(Attribute attribute, Type type, std::int64_t count, const void* values) {
  const int status =
      library_->cudnnBackendSetAttribute(raw_, static_cast<int>(attribute), static_cast<int>(type), count, values);
  if (status == success) return;
  library_->check(status, fmt::format("cudnnBackendSetAttribute of {}", static_cast<int>(attribute)), where());
}

std::int64_t Descriptor::get(Attribute attribute, Type type, std::int64_t room, void* to) const {
  std::int64_t count = 0;
  const int status =
      library_->cudnnBackendGetAttribute(raw_, static_cast<int>(attribute), static_cast<int>(type), room, &count, to);
  if (status != success) {
    library_->check(status, fmt::format("cudnnBackendGetAttribute of {}", static_cast<int>(attribute)), where());
  }
  return count;
}

std::int64_t Descriptor::get(Attribute attribute) const {
  std::int64_t value = 0;
  get(attribute, Type::int64, 1, &value);
  return value;
}

void Descriptor::finalize() {
  const int status = try_finalize();
  if (status != success) library_->check(status, "cudnnBackendFinalize", where());
}

int Descriptor::try_finalize() { return library_->cudnnBackendFinalize(raw_); }

}  // namespace cudnn

namespace {

using namespace cudnn;

using Extents = std::vector<std::int64_t>;

constexpr std::int64_t alignment = 16;  // bytes that each tensor is aligned to

struct Layout {
  Extents extents, strides;
};

/// Of an NHWC tensor, in the order N, C, H, W; of OHWI weights, too.
Layout channels_last(std::int64_t n, std::int64_t h, std::int64_t w, std::int64_t c) {
  return {{n, c, h, w}, {h * w * c, 1, w * c, c}};
}

int data_type(DType dtype) { return dtype == DType::bf16 ? data_bfloat16 : dtype == DType::f16 ? data_half : data_float; }

const char* name_of(ProductShape::Kind kind) {
  switch (kind) {
    case ProductShape::Kind::forward:
      return "convolution";
    case ProductShape::Kind::grad_src:
      return "convolution's gradient of src";
    case ProductShape::Kind::grad_weights:
      return "convolution's gradient of weights";
  }
  return "?";
}

std::string text_of(const ProductShape& shape) {
  const auto& [stride, padding, groups, src_signed] = shape.conv;
  return fmt::format("{} of {} into {}: src {}, weights {}, dst {}, stride {} x {}, padding {} x {} and {} x {}, {} groups",
                     name_of(shape.kind), qfw::name_of(shape.in), qfw::name_of(shape.out), shape.src.str(), shape.weights.str(),
                     shape.dst.str(), stride[0], stride[1], padding.low[0], padding.low[1], padding.high[0], padding.high[1],
                     groups);
}

const char* text_of(Note note) {
  switch (note) {
    case Note::tensor_core:
      return "tensor cores";
    case Note::down_converts_inputs:
      return "rounds operands";
    case Note::reduced_precision_reduction:
      return "rounds sums";
    case Note::fft:
      return "FFT";
    case Note::nondeterministic:
      return "not deterministic";
    case Note::winograd:
    case Note::winograd_4x4:
    case Note::winograd_6x6:
    case Note::winograd_13x13:
      return "Winograd";
    case Note::strict_nan:
      return "NaN as they are";
  }
  return "other notes";
}

/// Whether an engine with that note will not do.
bool excludes(Note note, DType in, bool tf32) {
  switch (note) {
    case Note::tensor_core:
      return in == DType::f32 && !tf32;  // they would be rounded to TF32
    case Note::strict_nan:
      return false;
    default:
      return true;
  }
}

/// One way of asking for a product.
struct Attempt {
  bool exchanged = false;
  DType result{};  ///< what cuDNN writes
};

std::vector<Attempt> attempts(const ProductShape& shape, bool rounds_weight_gradients) {
  const Conv2d& conv = shape.conv;
  const bool product_of_matrices = shape.weights[0] == 1 && shape.weights[1] == 1 && conv.stride == Extent{1, 1} &&
                                   conv.padding == Padding{} && conv.groups == 1;
  const Attempt whole{product_of_matrices, shape.out}, rounded{false, shape.in};  // widened while it is transposed
  if (shape.kind != ProductShape::Kind::grad_weights || shape.in == DType::f32 || shape.out != DType::f32) return {whole};
  return rounds_weight_gradients ? std::vector{rounded} : std::vector{whole, rounded};
}

}  // namespace

/// Asks cuDNN for one product in one way.
class CudnnPlans::Maker {
 public:
  Maker(const CudnnPlans& plans, const ProductShape& shape, const Attempt& attempt)
      : plans_(plans), shape_(shape), attempt_(attempt), graph_(plans.library_, Kind::graph) {}

  std::optional<CudnnPlan> make() {
    const std::string asked = fmt::format("cuDNN {}, sm_{}, {}, tf32 {}, exchanged {}, result {}", plans_.library_->version(),
                                          plans_.target_.architecture, text_of(shape_), plans_.target_.tf32, attempt_.exchanged,
                                          qfw::name_of(attempt_.result));
    const std::string key = CodeCache::key_of(std::array<std::string_view, 2>{plans_.target_.name, asked});
    if (auto kept = restore(key)) return kept;
    if (!build_graph()) return {};
    for (const Mode mode : {Mode::a, Mode::fallback}) {
      if (auto found = first_of(mode, key)) return found;
    }
    return {};
  }

  /// Why there was none.
  std::string reason() const {
    if (!refusal_.empty()) return refusal_;
    std::vector<std::string> parts;
    for (const auto& [why, count] : passed_over_) parts.push_back(fmt::format("{}: {}", why, count));
    return parts.empty() ? "it proposes no engine" : fmt::format("of its engines will not do, {}", fmt::join(parts, ", "));
  }

 private:
  Descriptor descriptor(Kind kind) const { return Descriptor(plans_.library_, kind); }

  void set_device(Descriptor& descriptor, Attribute handle, Attribute properties) const {
    if (plans_.properties_) {
      descriptor.set(properties, *plans_.properties_);
    } else {
      descriptor.set(handle, Type::handle, 1, &plans_.target_.handle);
    }
  }

  void add_tensor(std::int64_t id, int type, const Layout& layout, bool is_virtual = false) {
    Descriptor& tensor = parts_.emplace_back(descriptor(Kind::tensor));
    tensor.set(Attribute::tensor_type, Type::data_type, type);
    tensor.set(Attribute::tensor_extents, layout.extents);
    tensor.set(Attribute::tensor_strides, layout.strides);
    tensor.set(Attribute::tensor_id, id);
    tensor.set(Attribute::tensor_alignment, alignment);
    tensor.set(Attribute::tensor_virtual, Type::boolean, 1, &is_virtual);
    tensor.finalize();
  }

  /// Whether cuDNN takes it at all.
  bool accepted(Descriptor& descriptor) {
    const int status = descriptor.try_finalize();
    if (status == success) return true;
    const bool unsupported = status / 1000 == 2 || status / 1000 == 3;
    if (!unsupported) plans_.library_->check(status, "cudnnBackendFinalize", text_of(shape_));
    refusal_ = plans_.library_->reason(status);
    return false;
  }

  bool build_graph() {
    using Product = ProductShape::Kind;
    const Conv2d& conv = shape_.conv;
    const Shape &x = attempt_.exchanged ? shape_.dst : shape_.src, &y = attempt_.exchanged ? shape_.src : shape_.dst;
    const std::int64_t o = shape_.weights[attempt_.exchanged ? 2 : 3], i = shape_.weights[attempt_.exchanged ? 3 : 2];
    const Product kind = !attempt_.exchanged || shape_.kind == Product::grad_weights ? shape_.kind
                         : shape_.kind == Product::forward                           ? Product::grad_src
                                                                                     : Product::forward;
    const std::array<Layout, 3> layouts{channels_last(x[0], x[1], x[2], x[3]),
                                        channels_last(o, shape_.weights[0], shape_.weights[1], i),
                                        channels_last(y[0], y[1], y[2], y[3])};
    const std::array ids{id_of_x, id_of_w, id_of_y};
    const std::size_t result = kind == Product::forward ? 2 : kind == Product::grad_src ? 0 : 1;
    // An engine of 16 bits writes f32 if the sums are f32, never in memory, and an identity follows.
    const bool through_sums = attempt_.result != shape_.in;
    for (std::size_t t = 0; t < 3; ++t) {
      const bool virtual_sums = t == result && through_sums;
      add_tensor(virtual_sums ? id_of_sums : ids[t], virtual_sums ? data_float : data_type(shape_.in), layouts[t],
                 virtual_sums);
    }
    if (through_sums) add_tensor(ids[result], data_type(attempt_.result), layouts[result]);

    Descriptor& convolution = parts_.emplace_back(descriptor(Kind::convolution));
    convolution.set(Attribute::convolution_compute, Type::data_type, data_float);
    convolution.set(Attribute::convolution_mode, Type::convolution_mode, cross_correlation);
    convolution.set(Attribute::convolution_spatial_axes, 2);
    convolution.set(Attribute::convolution_dilations, Extents{1, 1});
    convolution.set(Attribute::convolution_strides, conv.stride);
    convolution.set(Attribute::convolution_pre_padding, conv.padding.low);
    convolution.set(Attribute::convolution_post_padding, conv.padding.high);
    convolution.finalize();

    const auto [operation_kind, first] = kind == Product::forward ? std::pair(Kind::forward, Attribute::forward_alpha)
                                         : kind == Product::grad_src
                                             ? std::pair(Kind::backward_data, Attribute::backward_data_alpha)
                                             : std::pair(Kind::backward_filter, Attribute::backward_filter_alpha);
    const auto attribute = [first = static_cast<int>(first)](int n) { return static_cast<Attribute>(first + n); };
    Descriptor& operation = parts_.emplace_back(descriptor(operation_kind));
    const float one = 1, zero = 0;
    operation.set(attribute(0), Type::float32, 1, &one);
    operation.set(attribute(1), Type::float32, 1, &zero);
    operation.set(attribute(2), convolution);
    operation.set(attribute(3), parts_[1]);
    operation.set(attribute(4), parts_[0]);
    operation.set(attribute(5), parts_[2]);
    if (!accepted(operation)) return false;
    std::vector<RawDescriptor> operations{operation.raw()};

    if (through_sums) {
      Descriptor& identity = parts_.emplace_back(descriptor(Kind::pointwise));
      identity.set(Attribute::pointwise_mode, Type::pointwise_mode, pointwise_identity);
      identity.set(Attribute::pointwise_math, Type::data_type, data_float);
      identity.finalize();
      Descriptor& store = parts_.emplace_back(descriptor(Kind::pointwise_operation));
      store.set(Attribute::pointwise_description, identity);
      store.set(Attribute::pointwise_x, parts_[result]);
      store.set(Attribute::pointwise_y, parts_[3]);
      if (!accepted(store)) return false;
      operations.push_back(store.raw());
    }
    graph_.set(Attribute::graph_operations, Type::descriptor, static_cast<std::int64_t>(operations.size()), operations.data());
    if (!plans_.properties_) graph_.set(Attribute::graph_handle, Type::handle, 1, &plans_.target_.handle);
    return accepted(graph_);
  }

  std::optional<CudnnPlan> first_of(Mode mode, const std::string& key) {
    Descriptor heuristics = descriptor(Kind::heuristics);
    heuristics.set(Attribute::heuristics_graph, graph_);
    heuristics.set(Attribute::heuristics_mode, Type::heuristic_mode, static_cast<int>(mode));
    if (plans_.properties_) heuristics.set(Attribute::heuristics_device, *plans_.properties_);
    if (!accepted(heuristics)) return {};
    refusal_.clear();
    const std::int64_t count = heuristics.get(Attribute::heuristics_results, Type::descriptor, 0, nullptr);
    if (count == 0) return {};
    std::vector<Descriptor> configs;
    std::vector<RawDescriptor> raw;
    for (std::int64_t c = 0; c < count; ++c) raw.push_back(configs.emplace_back(descriptor(Kind::engine_config)).raw());
    const std::int64_t given = heuristics.get(Attribute::heuristics_results, Type::descriptor, count, raw.data());
    for (std::int64_t c = 0; c < std::min(count, given); ++c) {
      auto found = try_engine(std::move(configs[c]), key,
                              fmt::format("{} of {} in mode {}", c + 1, count, mode == Mode::a ? "A" : "fallback"));
      if (found) return found;
    }
    return {};
  }

  std::optional<CudnnPlan> try_engine(Descriptor config, const std::string& key, const std::string& place) {
    Descriptor engine = descriptor(Kind::engine);
    RawDescriptor raw = engine.raw();
    config.get(Attribute::config_engine, Type::descriptor, 1, &raw);
    std::array<int, most_notes> notes{}, behavior{};
    const std::int64_t count = engine.get(Attribute::engine_numerical_notes, Type::numerical_note, most_notes, notes.data());
    std::vector<std::string> words;
    for (const int number : std::span(notes).first(std::min(count, most_notes))) {
      const Note note = static_cast<Note>(number);
      words.emplace_back(text_of(note));
      if (excludes(note, shape_.in, plans_.target_.tf32)) {
        ++passed_over_[shape_.in == DType::f32 && note == Note::tensor_core ? "TF32" : text_of(note)];
        return {};
      }
    }
    const std::int64_t behaviors =
        engine.get(Attribute::engine_behavior_notes, Type::behavior_note, most_notes, behavior.data());
    const auto listed = std::span(behavior).first(std::min(behaviors, most_notes));
    const bool compiled = std::ranges::find(listed, note_runtime_compilation) != listed.end();
    if (compiled) words.emplace_back("compiled for it");

    Descriptor plan = descriptor(Kind::plan);
    plan.set(Attribute::plan_config, config);
    set_device(plan, Attribute::plan_handle, Attribute::plan_device);
    if (plan.try_finalize() != success) {
      ++passed_over_["not made"];
      return {};
    }
    CudnnPlan found = finished(std::move(plan), fmt::format("engine {}, {}{}{}", engine.get(Attribute::engine_index), place,
                                                            words.empty() ? "" : ", ", fmt::join(words, ", ")));
    if (compiled) keep(found, key);
    found.config.emplace(std::move(config));
    return found;
  }

  CudnnPlan finished(Descriptor plan, std::string text) const {
    const std::int64_t bytes = plan.get(Attribute::plan_workspace);
    return {.plan = std::move(plan),
            .workspace_bytes = static_cast<std::size_t>(bytes),
            .text = std::move(text),
            .exchanged = attempt_.exchanged,
            .result = attempt_.result};
  }

  void keep(const CudnnPlan& plan, const std::string& key) const {
    if (plans_.cache_ == nullptr) return;
    std::string json(plan.plan.get(Attribute::plan_json, Type::character, 0, nullptr), '\0');
    plan.plan.get(Attribute::plan_json, Type::character, static_cast<std::int64_t>(json.size()), json.data());
    plans_.cache_->write(key, plan.text + '\n' + json);
  }

  std::optional<CudnnPlan> restore(const std::string& key) const {
    const auto kept = plans_.cache_ != nullptr ? plans_.cache_->read(key) : std::nullopt;
    const std::size_t line = kept ? kept->find('\n') : std::string::npos;
    if (line == std::string::npos) return {};
    try {
      Descriptor plan = descriptor(Kind::plan);
      set_device(plan, Attribute::plan_handle, Attribute::plan_device);
      plan.set(Attribute::plan_json, Type::character, static_cast<std::int64_t>(kept->size() - line - 1),
               kept->data() + line + 1);
      plan.try_finalize();  // a plan may be whole as it is; what it needs is asked next
      return finished(std::move(plan), kept->substr(0, line));
    } catch (const Error&) {
      return {};  // then it is made anew
    }
  }

  const CudnnPlans& plans_;
  const ProductShape& shape_;
  const Attempt& attempt_;
  std::deque<Descriptor> parts_;  ///< x, w, y, the rest: alive while the graph is
  Descriptor graph_;
  std::string refusal_;
  std::map<std::string, int> passed_over_;
};

CudnnPlans::CudnnPlans(std::shared_ptr<const cudnn::Cudnn> library, Target target, std::shared_ptr<CodeCache> cache)
    : library_(std::move(library)), target_(std::move(target)), cache_(std::move(cache)) {
  if (target_.handle != nullptr) return;
  properties_.emplace(library_, Kind::device_properties);
  properties_->set(Attribute::device_json, Type::character, static_cast<std::int64_t>(target_.properties.size()),
                   target_.properties.data());
  properties_->finalize();
}

std::shared_ptr<const CudnnPlan> CudnnPlans::find(const ProductShape& shape) {
  std::shared_ptr<const CudnnPlan>& plan = plans_[text_of(shape)];
  if (plan != nullptr) return plan;
  const auto refuse = [&](const std::string& why) {
    fail(Error::Category::usage, "cuda", fmt::format("sm_{} has no {}: {}", target_.architecture, text_of(shape), why),
         target_.name,
         shape.in == DType::f32    ? ""
         : shape.in == DType::bf16 ? "choose backend.compute = f16 or f32"
                                   : "choose backend.compute = f32");
  };
  if (!is_float(shape.in) || !is_float(shape.out)) refuse("it is not a product of floats");
  if (shape.in == DType::bf16 && target_.architecture < 80) refuse("bf16 needs sm_80 or later, f16 does not");
  std::string why;
  for (const Attempt& attempt : attempts(shape, target_.bf16_weight_gradients)) {
    Maker maker(*this, shape, attempt);
    if (auto found = maker.make()) {
      plan = std::make_shared<const CudnnPlan>(std::move(*found));
      return plan;
    }
    why += fmt::format("{}{}", why.empty() ? "" : "; ", maker.reason());
  }
  refuse(fmt::format("cuDNN {}: {}", library_->version(), why));
  return {};
}

}  // namespace qfw::cuda
