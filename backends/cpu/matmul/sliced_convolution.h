#pragma once

#include <memory>
#include <string>
#include <vector>

#include "context.h"
#include "matmul/primitive.h"
#include "pages.h"
#include "qfw/graph.h"

namespace qfw::cpu {

/// An integer convolution by oneDNN that threads compute slice by slice, each its own: whole images, or the pixels of all
/// images as one row where each is multiplied alone. Weights are packed once for all slices, and once for all runs if they are
/// a constant tensor.
class SlicedConvolution {
 public:
  /// `slices` divides the images, or the pixels. Null where oneDNN has nothing exact and fast that leaves images as they are.
  static std::unique_ptr<SlicedConvolution> make(const Graph& graph, const Node& node, std::int64_t slices, Context& context);

  /// Before the slices of a run; by all threads.
  void pack(const void* weights);
  /// From the whole src to one slice's sums. By the thread of that number, beside others.
  void run(std::int64_t slice, const void* src, void* sums, int thread);

  std::string implementation() const { return implementation_ + (own_.bytes() > 0 ? ", packed once" : ""); }
  std::size_t slice_bytes() const { return slice_bytes_; }  ///< of its sums

 private:
  SlicedConvolution(const Graph& graph, const Node& node, std::int64_t slices, Context& context);
  bool usable() const;

  Context& context_;
  std::string implementation_;
  dnnl::memory::desc src_, packed_desc_, sums_;
  bool images_stay_ = false;
  std::int64_t src_step_ = 0;  ///< in bytes, from slice to slice
  std::size_t slice_bytes_ = 0, packed_at_ = 0;
  Primitive pack_;
  std::vector<Primitive> of_thread_;
  ScratchLayout layout_;
  Pages own_;  ///< constant weights, packed
  const void* weights_ = nullptr;
};

}  // namespace qfw::cpu
