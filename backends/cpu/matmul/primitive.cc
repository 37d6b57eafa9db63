#include "matmul/primitive.h"

#include <omp.h>

#include <string_view>

#include "qfw/error.h"

namespace qfw::cpu {
namespace {

using dnnl::memory;

bool has_isa(unsigned bits) { return (static_cast<unsigned>(dnnl::get_effective_cpu_isa()) & bits) == bits; }

}  // namespace

bool library_has_bf16() { return has_isa(dnnl_cpu_isa_avx512_core_bf16); }
bool library_has_tiles() { return has_isa(dnnl_cpu_isa_avx512_core_amx); }
bool library_has_integer_dot() { return has_isa(dnnl_cpu_isa_avx512_core_vnni) || has_isa(dnnl_cpu_isa_avx2_vnni); }

PlannedThreads::PlannedThreads(int threads) : before_(omp_get_max_threads()) { omp_set_num_threads(threads); }
PlannedThreads::~PlannedThreads() { omp_set_num_threads(before_); }

Primitive::Primitive(Context& context, const dnnl::primitive_desc_base& descriptor, const dnnl::primitive& primitive,
                     std::vector<std::pair<int, memory::desc>> arguments, ScratchLayout& layout)
    : context_(&context), primitive_(primitive) {
  const memory::desc scratchpad = descriptor.query_md(dnnl::query::scratchpad_md);
  scratchpad_ = layout.take(scratchpad.get_size());
  arguments.emplace_back(DNNL_ARG_SCRATCHPAD, scratchpad);
  for (const auto& [argument, desc] : arguments) {
    memories_.emplace_back(desc, context.engine, nullptr);
    arguments_.push_back({argument, memories_.back().get()});
  }
}

void Primitive::set(int argument, const void* data) {
  for (const auto& known : arguments_) {
    if (known.arg != argument) continue;
    // The C interface takes inputs as plain pointers, too; it does not write them.
    dnnl::error::wrap_c_api(dnnl_memory_set_data_handle(known.memory, const_cast<void*>(data)),
                            "could not set a primitive's memory");
  }
}

void Primitive::run() {
  set(DNNL_ARG_SCRATCHPAD, context_->scratch.data() + scratchpad_);
  dnnl::error::wrap_c_api(
      dnnl_primitive_execute(primitive_.get(), context_->stream.get(), static_cast<int>(arguments_.size()), arguments_.data()),
      "could not execute a primitive");
}

void Primitive::move(const void* from, void* to) {
  set(DNNL_ARG_FROM, from);
  set(DNNL_ARG_TO, to);
  run();
}

Primitive reorder(Context& context, const memory::desc& from, const memory::desc& to, ScratchLayout& layout) {
  if (from == to) return {};
  const dnnl::reorder::primitive_desc desc(context.engine, from, context.engine, to, library_attributes());
  return {context, desc, dnnl::reorder(desc), {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}}, layout};
}

memory::data_type library_type(DType type) {
  switch (type) {
    case DType::f32:
      return memory::data_type::f32;
    case DType::bf16:
      return memory::data_type::bf16;
    case DType::s32:
      return memory::data_type::s32;
    case DType::s8:
      return memory::data_type::s8;
    case DType::u8:
      return memory::data_type::u8;
    case DType::f16:  // declined (CpuBackend::supports)
      break;
  }
  fail(Error::Category::internal, "cpu", "unknown dtype");
}

dnnl::primitive_attr library_attributes() {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attributes;
}

memory::desc src_memory(const Geometry& g, DType type, memory::format_tag tag) {
  return {{g.n, g.c, g.h, g.w}, library_type(type), tag};
}
memory::desc dst_memory(const Geometry& g, DType type, memory::format_tag tag) {
  return {{g.n, g.o, g.oh, g.ow}, library_type(type), tag};
}

memory::desc weights_memory(const Geometry& g, DType type) {
  if (g.groups == 1) return {{g.o, g.c, g.kh, g.kw}, library_type(type), memory::format_tag::hwio};
  return {{g.groups, g.og(), g.cg(), g.kh, g.kw}, library_type(type), {g.og(), 1, g.o, g.kw * g.cg() * g.o, g.cg() * g.o}};
}
memory::desc any_weights_memory(const Geometry& g, DType type) {
  if (g.groups == 1) return {{g.o, g.c, g.kh, g.kw}, library_type(type), memory::format_tag::any};
  return {{g.groups, g.og(), g.cg(), g.kh, g.kw}, library_type(type), memory::format_tag::any};
}

memory::desc transposed_weights_memory(const Geometry& g, DType type) {
  const std::int64_t row = g.kw * g.cg() * g.o, pixel = g.cg() * g.o;
  if (g.groups == 1) return {{g.c, g.o, g.kh, g.kw}, library_type(type), memory::dims{g.o, 1, row, pixel}};
  return {{g.groups, g.cg(), g.og(), g.kh, g.kw}, library_type(type), memory::dims{g.og(), g.o, 1, row, pixel}};
}
memory::desc any_transposed_weights_memory(const Geometry& g, DType type) {
  if (g.groups == 1) return {{g.c, g.o, g.kh, g.kw}, library_type(type), memory::format_tag::any};
  return {{g.groups, g.cg(), g.og(), g.kh, g.kw}, library_type(type), memory::format_tag::any};
}

bool is_fast(const char* implementation) {
  const std::string_view name = implementation;
  return name.find("ref") == name.npos && name.find("gemm") == name.npos;
}

bool sums_in_32_bits(std::string_view implementation) {
  return implementation.find("vnni") != implementation.npos || implementation.find("amx") != implementation.npos;
}

}  // namespace qfw::cpu
