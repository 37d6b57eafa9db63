#pragma once

#include <oneapi/dnnl/dnnl.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "matmul/geometry.h"
#include "matmul/matmul.h"
#include "scratch.h"

namespace qfw::cpu {

bool library_has_bf16();   ///< bf16 instructions; without them its bf16 primitives are missing or hundreds of times slower
bool library_has_tiles();  ///< that multiply bf16 (AMX)
bool library_has_integer_dot();  ///< u8 x s8 in one instruction; without it 16-bit sums may saturate

/// Primitives are planned for the number of threads they will run with.
class PlannedThreads {
 public:
  explicit PlannedThreads(int threads);
  PlannedThreads(const PlannedThreads&) = delete;
  PlannedThreads& operator=(const PlannedThreads&) = delete;
  ~PlannedThreads();

 private:
  int before_;
};

/// A oneDNN primitive and its arguments, made once; running it creates nothing. oneDNN's own cache holds the compiled code, so
/// the same key in another executable costs nothing.
class Primitive {
 public:
  Primitive() = default;
  /// Takes its scratchpad from the layout. `arguments` are fixed descriptors whose memory `set` gives.
  Primitive(Context& context, const dnnl::primitive_desc_base& descriptor, const dnnl::primitive& primitive,
            std::vector<std::pair<int, dnnl::memory::desc>> arguments, ScratchLayout& layout);

  explicit operator bool() const { return context_ != nullptr; }
  void set(int argument, const void* memory);
  void run();
  void move(const void* from, void* to);  ///< of a reorder

 private:
  Context* context_ = nullptr;
  dnnl::primitive primitive_;
  std::vector<dnnl::memory> memories_;
  std::vector<dnnl_exec_arg_t> arguments_;
  std::size_t scratchpad_ = 0;
};

/// Copies between layouts; empty where they are equal.
Primitive reorder(Context& context, const dnnl::memory::desc& from, const dnnl::memory::desc& to, ScratchLayout& layout);

dnnl::memory::data_type library_type(DType type);
dnnl::primitive_attr library_attributes();  ///< the caller's scratchpad

/// Images as oneDNN names their extents.
dnnl::memory::desc src_memory(const Geometry& g, DType type, dnnl::memory::format_tag tag);
dnnl::memory::desc dst_memory(const Geometry& g, DType type, dnnl::memory::format_tag tag);
/// Kernels: HWIO in memory, groups split off the output channel; or as the primitive wants them.
dnnl::memory::desc weights_memory(const Geometry& g, DType type);
dnnl::memory::desc any_weights_memory(const Geometry& g, DType type);
/// The same as a transposed convolution names their extents, from the gradient's channels to those of src.
dnnl::memory::desc transposed_weights_memory(const Geometry& g, DType type);
dnnl::memory::desc any_transposed_weights_memory(const Geometry& g, DType type);

/// Compiled for the processor; otherwise a slow fallback.
bool is_fast(const char* implementation);
/// By its name, of an integer primitive: u8 x s8 by VNNI or AMX, whose sums are exact.
bool sums_in_32_bits(std::string_view implementation);

}  // namespace qfw::cpu
