#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "code_cache.h"
#include "device.h"
#include "libraries.h"

/// cuDNN 9's backend interface: descriptors with attributes. What is used of it is declared here, so that no header of cuDNN is
/// needed; a test holds it against <cudnn.h> where that is installed (tests/unit/cuda_device).
namespace qfw::cuda {

namespace cudnn {

using Handle = struct OpaqueHandle*;
using RawDescriptor = void*;

inline constexpr int success = 0;
inline constexpr int data_float = 0, data_half = 2, data_bfloat16 = 9;
inline constexpr int cross_correlation = 1, pointwise_identity = 21;

/// Kinds of descriptors.
enum class Kind : int {
  pointwise = 0,
  convolution = 1,
  engine = 2,
  engine_config = 3,
  heuristics = 4,
  plan = 5,
  forward = 10,
  backward_filter = 11,
  backward_data = 12,
  pointwise_operation = 13,
  graph = 15,
  variant_pack = 16,
  tensor = 17,
  device_properties = 38,
};

/// Types of attributes.
enum class Type : int {
  handle = 0,
  data_type = 1,
  boolean = 2,
  int64 = 3,
  float32 = 4,
  pointer = 6,
  convolution_mode = 7,
  heuristic_mode = 8,
  numerical_note = 11,
  pointwise_mode = 14,
  descriptor = 15,
  behavior_note = 19,
  character = 24,
};

enum class Attribute : int {
  pointwise_mode = 0,
  pointwise_math = 1,
  convolution_compute = 100,
  convolution_mode = 101,
  convolution_dilations = 102,
  convolution_strides = 103,
  convolution_post_padding = 104,
  convolution_pre_padding = 105,
  convolution_spatial_axes = 106,
  heuristics_mode = 200,
  heuristics_graph = 201,
  heuristics_results = 202,
  heuristics_device = 204,
  config_engine = 300,
  plan_handle = 400,
  plan_config = 401,
  plan_workspace = 402,
  plan_json = 405,
  plan_device = 407,
  // Of each of the three convolutions, in the same order from here on: alpha, beta, convolution, w, x, y.
  forward_alpha = 700,
  backward_data_alpha = 706,
  backward_filter_alpha = 712,
  pointwise_description = 750,
  pointwise_x = 751,
  pointwise_y = 753,
  graph_handle = 800,
  graph_operations = 801,
  tensor_alignment = 900,
  tensor_type = 901,
  tensor_extents = 902,
  tensor_strides = 903,
  tensor_id = 906,
  tensor_virtual = 907,
  pack_ids = 1000,
  pack_pointers = 1001,
  pack_workspace = 1003,
  engine_index = 1301,
  engine_numerical_notes = 1303,
  engine_behavior_notes = 1305,
  device_json = 2702,
};

enum class Mode : int { fallback = 2, a = 3 };

/// What an engine's results are like.
enum class Note : int {
  tensor_core = 0,
  down_converts_inputs = 1,
  reduced_precision_reduction = 2,
  fft = 3,
  nondeterministic = 4,
  winograd = 5,
  winograd_4x4 = 6,
  winograd_6x6 = 7,
  winograd_13x13 = 8,
  strict_nan = 9,
};
inline constexpr std::int64_t most_notes = 32;
inline constexpr int note_runtime_compilation = 0;  // of its behavior

#define QFW_CUDNN_FUNCTIONS(DO)                                                                                   \
  DO(int, cudnnCreate, (Handle * handle))                                                                         \
  DO(int, cudnnDestroy, (Handle handle))                                                                          \
  DO(int, cudnnSetStream, (Handle handle, void* stream))                                                          \
  DO(std::size_t, cudnnGetVersion, ())                                                                            \
  DO(const char*, cudnnGetErrorString, (int status))                                                              \
  DO(void, cudnnGetLastErrorString, (char* text, std::size_t bytes))                                              \
  DO(int, cudnnBackendCreateDescriptor, (int kind, RawDescriptor* descriptor))                                    \
  DO(int, cudnnBackendDestroyDescriptor, (RawDescriptor descriptor))                                              \
  DO(int, cudnnBackendFinalize, (RawDescriptor descriptor))                                                       \
  DO(int, cudnnBackendSetAttribute,                                                                               \
     (RawDescriptor descriptor, int attribute, int type, std::int64_t count, const void* elements))               \
  DO(int, cudnnBackendGetAttribute,                                                                               \
     (RawDescriptor descriptor, int attribute, int type, std::int64_t room, std::int64_t* count, void* elements)) \
  DO(int, cudnnBackendExecute, (Handle handle, RawDescriptor plan, RawDescriptor pack))

struct Functions {
#define QFW_CUDNN_DECLARE(result, name, parameters) result(*name) parameters = nullptr;
  QFW_CUDNN_FUNCTIONS(QFW_CUDNN_DECLARE)
#undef QFW_CUDNN_DECLARE
};

/// The functions of an open libcudnn.so.9.
class Cudnn : public Functions {
 public:
  explicit Cudnn(const Library& library);

  std::string version() const;  ///< "9.19.0"
  /// Throws Error::Category::device with cuDNN's reason.
  void check(int status, std::string_view call, std::string_view where) const;
  std::string reason(int status) const;
};

/// A descriptor with an owner.
class Descriptor {
 public:
  Descriptor(std::shared_ptr<const Cudnn> library, Kind kind);
  Descriptor(Descriptor&& other) noexcept
      : library_(std::move(other.library_)), raw_(std::exchange(other.raw_, nullptr)), kind_(other.kind_) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor();

  RawDescriptor raw() const { return raw_; }

  template <class T>
  void set(Attribute attribute, Type type, std::span<const T> values) {
    set(attribute, type, static_cast<std::int64_t>(values.size()), values.data());
  }
  void set(Attribute attribute, Type type, std::int64_t count, const void* values);
  void set(Attribute attribute, Type type, int value) { set(attribute, type, 1, &value); }
  void set(Attribute attribute, std::int64_t value) { set(attribute, Type::int64, 1, &value); }
  void set(Attribute attribute, std::span<const std::int64_t> values) { set(attribute, Type::int64, values); }
  void set(Attribute attribute, const Descriptor& other) { set(attribute, Type::descriptor, 1, &other.raw_); }

  /// How many there are; the first of them into `to`.
  std::int64_t get(Attribute attribute, Type type, std::int64_t room, void* to) const;
  std::int64_t get(Attribute attribute) const;  ///< an int64

  void finalize();
  int try_finalize();  ///< the status

 private:
  std::string where() const;

  std::shared_ptr<const Cudnn> library_;
  RawDescriptor raw_ = nullptr;
  Kind kind_;
};

}  // namespace cudnn

/// How cuDNN computes one product.
struct CudnnPlan {
  std::optional<cudnn::Descriptor> config{};  ///< the plan may refer to it
  cudnn::Descriptor plan;
  std::size_t workspace_bytes = 0;
  std::string text;  ///< engine, how it was chosen, what it is like: for people
  /// The convolution that cuDNN sees is another one: of 1 x 1 weights [I, O], which lie as [O, I] of the convolution that goes
  /// the other way. What is src here is the gradient of dst there, and so on.
  bool exchanged = false;
  DType result{};  ///< what cuDNN writes: f32, or the dtype of the operands where it has no engine that gives f32
};

/// The plans of a device, by shape: each found once. cuDNN's heuristics name engines, best first (mode A, then those that
/// always work); the first one is taken that gives the same bits each time, neither rounds operands nor sums to fewer bits, and
/// computes sums of products as they are (no Winograd, no FFT). Nothing is timed, so a run that is resumed computes as before.
///
/// Images are NHWC. Weights are OHWI: cuDNN takes other strides without complaint, but its engines for NHWC do not heed them.
class CudnnPlans {
 public:
  /// A device: by its handle, or, where there is none, by its properties as cuDNN writes them.
  struct Target {
    cudnn::Handle handle = nullptr;
    std::string properties{};
    std::string name{};  ///< of the kind of device: "NVIDIA H100 80GB HBM3"
    int architecture = 0;
    bool tf32 = false;                   ///< f32 operands may be rounded to 10 bits
    bool bf16_weight_gradients = false;  ///< gradients of weights may be rounded to 16 bits where operands are
  };
  /// Plans that cuDNN compiles are kept in `cache`.
  CudnnPlans(std::shared_ptr<const cudnn::Cudnn> library, Target target, std::shared_ptr<CodeCache> cache);

  /// Throws Error::Category::usage, naming types and architecture, where there is none.
  std::shared_ptr<const CudnnPlan> find(const ProductShape& shape);

 private:
  class Maker;

  std::shared_ptr<const cudnn::Cudnn> library_;
  Target target_;
  std::shared_ptr<CodeCache> cache_;
  std::optional<cudnn::Descriptor> properties_;
  std::map<std::string, std::shared_ptr<const CudnnPlan>> plans_;
};

/// Ids of a plan's tensors.
inline constexpr std::int64_t id_of_x = 'x', id_of_w = 'w', id_of_y = 'y', id_of_sums = 's';

}  // namespace qfw::cuda
