// What the backend declares of NVIDIA's interfaces, held against their headers.
#include <gtest/gtest.h>

#include <type_traits>

#if __has_include(<cuda.h>)
#include <cuda.h>
#define QFW_HAVE_CUDA 1
#endif
#if __has_include(<cudnn_graph.h>) && __has_include(<driver_types.h>)
#include <cudnn_graph.h>
#define QFW_HAVE_CUDNN 1
#endif

#include "cudnn.h"
#include "driver.h"

namespace qfw::cuda {
namespace {

/// Passed in the same way: pointers stand for pointers, integers and enumerations for those of their size.
template <class A, class B>
constexpr bool alike() {
  if constexpr (std::is_pointer_v<A> || std::is_pointer_v<B>) {
    return std::is_pointer_v<A> && std::is_pointer_v<B>;
  } else if constexpr (std::is_void_v<A> || std::is_void_v<B>) {
    return std::is_void_v<A> && std::is_void_v<B>;
  } else {
    constexpr bool integers = (std::is_integral_v<A> || std::is_enum_v<A>)&&(std::is_integral_v<B> || std::is_enum_v<B>);
    return sizeof(A) == sizeof(B) && (integers || std::is_same_v<A, B>);
  }
}
template <class A, class B>
struct Alike;
template <class R, class... P, class S, class... Q>
struct Alike<R (*)(P...), S (*)(Q...)> {
  static constexpr bool value() {
    if constexpr (sizeof...(P) == sizeof...(Q)) {
      return alike<R, S>() && (alike<P, Q>() && ...);
    } else {
      return false;
    }
  }
};
static_assert(Alike<int (*)(void*, unsigned), int (*)(int*, int)>::value());
static_assert(!Alike<int (*)(void*, unsigned), int (*)(int*, long)>::value());
static_assert(!Alike<int (*)(void*), int (*)(void*, int)>::value());
static_assert(!Alike<int (*)(float), int (*)(int)>::value());

TEST(Declarations, OfTheDriverAreThoseOfItsHeader) {
#ifdef QFW_HAVE_CUDA
#define QFW_CHECK(name, parameters) static_assert(Alike<decltype(driver::Functions::name), decltype(&::name)>::value());
  QFW_CUDA_DRIVER_FUNCTIONS(QFW_CHECK)
#if CUDA_VERSION >= 12040
  QFW_CUDA_LATER_DRIVER_FUNCTIONS(QFW_CHECK)
#endif
#undef QFW_CHECK
  static_assert(driver::success == CUDA_SUCCESS && driver::out_of_memory == CUDA_ERROR_OUT_OF_MEMORY &&
                driver::no_device == CUDA_ERROR_NO_DEVICE);
  static_assert(CUDA_ERROR_NO_BINARY_FOR_GPU == 209 && CUDA_ERROR_INVALID_IMAGE == 200 && CUDA_ERROR_SYSTEM_NOT_READY == 802 &&
                CUDA_ERROR_SYSTEM_DRIVER_MISMATCH == 803);
  static_assert(CUDA_ERROR_ILLEGAL_ADDRESS == 700 && CUDA_ERROR_ILLEGAL_INSTRUCTION == 715 &&
                CUDA_ERROR_MISALIGNED_ADDRESS == 716 && CUDA_ERROR_LAUNCH_FAILED == 719);
  static_assert(driver::attribute_clock == CU_DEVICE_ATTRIBUTE_CLOCK_RATE &&
                driver::attribute_memory_clock == CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE &&
                driver::attribute_memory_width == CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH);
  static_assert(driver::attribute_multiprocessors == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT &&
                driver::attribute_major == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR &&
                driver::attribute_minor == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR &&
                driver::attribute_shared_per_block == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN);
  static_assert(driver::function_shared_bytes == CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES &&
                driver::function_local_bytes == CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES &&
                driver::function_registers == CU_FUNC_ATTRIBUTE_NUM_REGS &&
                driver::function_dynamic_shared == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES);
  static_assert(driver::schedule_blocking == CU_CTX_SCHED_BLOCKING_SYNC &&
                driver::stream_non_blocking == CU_STREAM_NON_BLOCKING && driver::event_default == CU_EVENT_DEFAULT &&
                driver::capture_thread_local == CU_STREAM_CAPTURE_MODE_THREAD_LOCAL &&
                driver::capture_relaxed == CU_STREAM_CAPTURE_MODE_RELAXED);
#else
  GTEST_SKIP() << "there is no <cuda.h>";
#endif
}

TEST(Declarations, OfCudnnAreThoseOfItsHeader) {
#ifdef QFW_HAVE_CUDNN
#define QFW_CHECK(result, name, parameters) static_assert(Alike<decltype(cudnn::Functions::name), decltype(&::name)>::value());
  QFW_CUDNN_FUNCTIONS(QFW_CHECK)
#undef QFW_CHECK
#define QFW_CHECK(own, theirs) static_assert(static_cast<int>(cudnn::own) == static_cast<int>(theirs));
  QFW_CHECK(success, CUDNN_STATUS_SUCCESS)
  QFW_CHECK(data_float, CUDNN_DATA_FLOAT)
  QFW_CHECK(data_half, CUDNN_DATA_HALF)
  QFW_CHECK(data_bfloat16, CUDNN_DATA_BFLOAT16)
  QFW_CHECK(cross_correlation, CUDNN_CROSS_CORRELATION)
  QFW_CHECK(pointwise_identity, CUDNN_POINTWISE_IDENTITY)
  QFW_CHECK(Kind::pointwise, CUDNN_BACKEND_POINTWISE_DESCRIPTOR)
  QFW_CHECK(Kind::convolution, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR)
  QFW_CHECK(Kind::engine, CUDNN_BACKEND_ENGINE_DESCRIPTOR)
  QFW_CHECK(Kind::engine_config, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR)
  QFW_CHECK(Kind::heuristics, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR)
  QFW_CHECK(Kind::plan, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR)
  QFW_CHECK(Kind::forward, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR)
  QFW_CHECK(Kind::backward_filter, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR)
  QFW_CHECK(Kind::backward_data, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR)
  QFW_CHECK(Kind::pointwise_operation, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR)
  QFW_CHECK(Kind::graph, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR)
  QFW_CHECK(Kind::variant_pack, CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR)
  QFW_CHECK(Kind::tensor, CUDNN_BACKEND_TENSOR_DESCRIPTOR)
  QFW_CHECK(Type::handle, CUDNN_TYPE_HANDLE)
  QFW_CHECK(Type::data_type, CUDNN_TYPE_DATA_TYPE)
  QFW_CHECK(Type::boolean, CUDNN_TYPE_BOOLEAN)
  QFW_CHECK(Type::int64, CUDNN_TYPE_INT64)
  QFW_CHECK(Type::float32, CUDNN_TYPE_FLOAT)
  QFW_CHECK(Type::pointer, CUDNN_TYPE_VOID_PTR)
  QFW_CHECK(Type::convolution_mode, CUDNN_TYPE_CONVOLUTION_MODE)
  QFW_CHECK(Type::heuristic_mode, CUDNN_TYPE_HEUR_MODE)
  QFW_CHECK(Type::numerical_note, CUDNN_TYPE_NUMERICAL_NOTE)
  QFW_CHECK(Type::pointwise_mode, CUDNN_TYPE_POINTWISE_MODE)
  QFW_CHECK(Type::descriptor, CUDNN_TYPE_BACKEND_DESCRIPTOR)
  QFW_CHECK(Type::behavior_note, CUDNN_TYPE_BEHAVIOR_NOTE)
  QFW_CHECK(Type::character, CUDNN_TYPE_CHAR)
  QFW_CHECK(Attribute::pointwise_mode, CUDNN_ATTR_POINTWISE_MODE)
  QFW_CHECK(Attribute::pointwise_math, CUDNN_ATTR_POINTWISE_MATH_PREC)
  QFW_CHECK(Attribute::convolution_compute, CUDNN_ATTR_CONVOLUTION_COMP_TYPE)
  QFW_CHECK(Attribute::convolution_mode, CUDNN_ATTR_CONVOLUTION_CONV_MODE)
  QFW_CHECK(Attribute::convolution_dilations, CUDNN_ATTR_CONVOLUTION_DILATIONS)
  QFW_CHECK(Attribute::convolution_strides, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES)
  QFW_CHECK(Attribute::convolution_post_padding, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS)
  QFW_CHECK(Attribute::convolution_pre_padding, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS)
  QFW_CHECK(Attribute::convolution_spatial_axes, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS)
  QFW_CHECK(Attribute::heuristics_mode, CUDNN_ATTR_ENGINEHEUR_MODE)
  QFW_CHECK(Attribute::heuristics_graph, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH)
  QFW_CHECK(Attribute::heuristics_results, CUDNN_ATTR_ENGINEHEUR_RESULTS)
  QFW_CHECK(Attribute::config_engine, CUDNN_ATTR_ENGINECFG_ENGINE)
  QFW_CHECK(Attribute::plan_handle, CUDNN_ATTR_EXECUTION_PLAN_HANDLE)
  QFW_CHECK(Attribute::plan_config, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG)
  QFW_CHECK(Attribute::plan_workspace, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE)
  QFW_CHECK(Attribute::plan_json, CUDNN_ATTR_EXECUTION_PLAN_JSON_REPRESENTATION)
  for (const auto [own, alpha, beta, convolution, w, x, y] :
       {std::array{static_cast<int>(cudnn::Attribute::forward_alpha), int{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA},
                   int{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC},
                   int{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X},
                   int{CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y}},
        std::array{static_cast<int>(cudnn::Attribute::backward_data_alpha),
                   int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
                   int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W},
                   int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY}},
        std::array{
            static_cast<int>(cudnn::Attribute::backward_filter_alpha), int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA},
            int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC},
            int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW}, int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X},
            int{CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY}}}) {
    EXPECT_EQ(own, alpha);
    EXPECT_EQ(own + 1, beta);
    EXPECT_EQ(own + 2, convolution);
    EXPECT_EQ(own + 3, w);
    EXPECT_EQ(own + 4, x);
    EXPECT_EQ(own + 5, y);
  }
  QFW_CHECK(Attribute::pointwise_description, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR)
  QFW_CHECK(Attribute::pointwise_x, CUDNN_ATTR_OPERATION_POINTWISE_XDESC)
  QFW_CHECK(Attribute::pointwise_y, CUDNN_ATTR_OPERATION_POINTWISE_YDESC)
  QFW_CHECK(Attribute::graph_handle, CUDNN_ATTR_OPERATIONGRAPH_HANDLE)
  QFW_CHECK(Attribute::graph_operations, CUDNN_ATTR_OPERATIONGRAPH_OPS)
  QFW_CHECK(Attribute::tensor_alignment, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT)
  QFW_CHECK(Attribute::tensor_type, CUDNN_ATTR_TENSOR_DATA_TYPE)
  QFW_CHECK(Attribute::tensor_extents, CUDNN_ATTR_TENSOR_DIMENSIONS)
  QFW_CHECK(Attribute::tensor_strides, CUDNN_ATTR_TENSOR_STRIDES)
  QFW_CHECK(Attribute::tensor_id, CUDNN_ATTR_TENSOR_UNIQUE_ID)
  QFW_CHECK(Attribute::tensor_virtual, CUDNN_ATTR_TENSOR_IS_VIRTUAL)
  QFW_CHECK(Attribute::pack_ids, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS)
  QFW_CHECK(Attribute::pack_pointers, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS)
  QFW_CHECK(Attribute::pack_workspace, CUDNN_ATTR_VARIANT_PACK_WORKSPACE)
  QFW_CHECK(Attribute::engine_index, CUDNN_ATTR_ENGINE_GLOBAL_INDEX)
  QFW_CHECK(Attribute::engine_numerical_notes, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE)
  QFW_CHECK(Attribute::engine_behavior_notes, CUDNN_ATTR_ENGINE_BEHAVIOR_NOTE)
  QFW_CHECK(Mode::fallback, CUDNN_HEUR_MODE_FALLBACK)
  QFW_CHECK(Mode::a, CUDNN_HEUR_MODE_A)
  QFW_CHECK(Note::tensor_core, CUDNN_NUMERICAL_NOTE_TENSOR_CORE)
  QFW_CHECK(Note::down_converts_inputs, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS)
  QFW_CHECK(Note::reduced_precision_reduction, CUDNN_NUMERICAL_NOTE_REDUCED_PRECISION_REDUCTION)
  QFW_CHECK(Note::fft, CUDNN_NUMERICAL_NOTE_FFT)
  QFW_CHECK(Note::nondeterministic, CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC)
  QFW_CHECK(Note::winograd, CUDNN_NUMERICAL_NOTE_WINOGRAD)
  QFW_CHECK(Note::winograd_4x4, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4)
  QFW_CHECK(Note::winograd_6x6, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6)
  QFW_CHECK(Note::winograd_13x13, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13)
  QFW_CHECK(note_runtime_compilation, CUDNN_BEHAVIOR_NOTE_RUNTIME_COMPILATION)
#if CUDNN_VERSION >= 91900  // describing a device came later than the rest
  QFW_CHECK(Kind::device_properties, CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR)
  QFW_CHECK(Attribute::heuristics_device, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP)
  QFW_CHECK(Attribute::plan_device, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP)
  QFW_CHECK(Attribute::device_json, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION)
  QFW_CHECK(Note::strict_nan, CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP)
#endif
  static_assert(cudnn::most_notes >= CUDNN_NUMERICAL_NOTE_TYPE_COUNT && cudnn::most_notes >= CUDNN_BEHAVIOR_NOTE_TYPE_COUNT);
#undef QFW_CHECK
#else
  GTEST_SKIP() << "there is no <cudnn_graph.h>";
#endif
}

}  // namespace
}  // namespace qfw::cuda
