#include "predict/batches.h"

#include <algorithm>
#include <variant>

namespace qfw::predict {

namespace {

Shape with_images(const Shape& shape, std::int64_t images) {
  std::vector<std::int64_t> extents(shape.begin(), shape.end());
  extents.at(0) = images;
  return Shape(std::span<const std::int64_t>(extents));
}

}  // namespace

Graph for_images(const Graph& graph, std::int64_t images) {
  Graph result = graph;
  for (Input& input : result.inputs) input.type.shape = with_images(input.type.shape, images);
  std::vector<bool> of_images;
  for (Node& node : result.nodes) {
    of_images.push_back(node.op == Op::input || std::ranges::any_of(node.inputs, [&](Use use) { return of_images[use.node]; }));
    if (!of_images.back()) continue;
    for (TensorType& type : node.outputs) type.shape = with_images(type.shape, images);
    if (auto* shape = std::get_if<Shape>(&node.attributes)) *shape = with_images(*shape, images);
    if (auto* reduce = std::get_if<Reduce>(&node.attributes)) reduce->to = with_images(reduce->to, images);
  }
  for (QuantizedSite& site : result.sites) {
    for (TensorType* type : {&site.src_type, &site.dst_type}) {
      if (type->shape.rank() > 0) type->shape = with_images(type->shape, images);
    }
  }
  verify(result);
  return result;
}

std::vector<std::int64_t> batch_sizes(std::int64_t batch) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t size = 1; size < batch; size *= 4) sizes.push_back(size);
  sizes.push_back(batch);
  std::ranges::reverse(sizes);
  return sizes;
}

}  // namespace qfw::predict
