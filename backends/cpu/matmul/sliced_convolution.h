#pragma once

#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "matmul/primitive.h"
#include "pages.h"
#include "qfw/graph.h"

namespace qfw::cpu {

/// An integer convolution by oneDNN that threads compute slice by slice, each its own: whole images, some of an image's rows,
/// or the pixels of all images as one row where each is multiplied alone. Weights are packed once for all slices, and once for
/// all runs if they are a constant tensor.
class SlicedConvolution {
 public:
  /// Whether it can be cut into so many slices of equal sums.
  static bool divides(const Geometry& g, std::int64_t slices);

  /// `slices` divides it. Null where oneDNN has nothing exact and fast that leaves images as they are.
  static std::unique_ptr<SlicedConvolution> make(const Graph& graph, const Node& node, std::int64_t slices, Context& context);

  /// Before the slices of a run; by all threads.
  void pack(const void* weights);
  /// From the whole src to one slice's sums. By the thread of that number, beside others.
  void run(std::int64_t slice, const void* src, void* sums, int thread);

  std::string implementation() const { return implementation_ + (own_.bytes() > 0 ? ", packed once" : ""); }
  std::size_t slice_bytes() const { return slice_bytes_; }  ///< of its sums

 private:
  /// One of the shapes that slices have: rows at the edges of an image meet padding, others do not.
  struct Variant {
    Geometry g;
    dnnl::memory::desc src, sums;
    std::vector<Primitive> of_thread;
  };
  /// Where a slice begins in src, in bytes, and its shape.
  struct Slice {
    std::int64_t src = 0;
    std::size_t variant = 0;
  };

  SlicedConvolution(const Graph& graph, const Node& node, std::int64_t slices, Context& context);
  void cut(const Geometry& g, std::int64_t slices, std::int64_t element);
  std::size_t variant_of(const Geometry& g);
  bool make_variant(Variant& variant, DType src, DType weights);
  void make_packed(const Graph& graph, const Node& node);

  Context& context_;
  std::string implementation_;
  std::vector<Slice> slices_;
  std::vector<Variant> variants_;
  dnnl::memory::desc packed_desc_;
  bool usable_ = false;
  std::size_t slice_bytes_ = 0, packed_at_ = 0;
  Primitive pack_;
  ScratchLayout layout_;
  Pages own_;  ///< constant weights, packed
  const void* weights_ = nullptr;
};

}  // namespace qfw::cpu
