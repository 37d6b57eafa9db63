#include "pool.h"

#include <fmt/format.h>

#include "launch.h"

namespace qfw::cuda {
namespace {

device::Pooling pooling_of(const TensorType& x, const TensorType& result, const Pool& pool) {
  const std::string where = "max pool of " + x.str();
  const auto number = [&](std::int64_t extent) { return as_int(extent, "elements along an axis", where); };
  return {.height = number(x.shape[1]),
          .width = number(x.shape[2]),
          .channels = number(x.shape[3]),
          .dst_height = number(result.shape[1]),
          .dst_width = number(result.shape[2]),
          .window = {number(pool.window[0]), number(pool.window[1])},
          .stride = {number(pool.stride[0]), number(pool.stride[1])},
          .low = {number(pool.padding.low[0]), number(pool.padding.low[1])}};
}

/// Neighbouring channels that a thread takes: 16 bytes, or less if that does not divide them.
int channels_a_thread(const TensorType& x) {
  int n = static_cast<int>(16 / size_of(x.dtype));
  while (x.shape[3] % n != 0) n /= 2;
  return n;
}

const char* code_type(DType type) { return type == DType::f32 ? "float" : name_of(type); }

}  // namespace

MaxPool::MaxPool(Loader& loader, const TensorType& x, const TensorType& result, const Pool& pool)
    : device_(loader.device()), pooling_(pooling_of(x, result, pool)) {
  const int n = channels_a_thread(x);
  const std::string where = "max pool of " + x.str(), type = code_type(x.dtype);
  packs_ = as_int(result.shape.count() / n, "packs of channels", where);
  shape_ = one_thread_each(packs_, where);
  function_ = loader.ask(kernel_source(fmt::format("max_pool_{}_{}", name_of(x.dtype), n),
                                       fmt::format("const {0}* x, {0}* to, Pooling p, int packs", type),
                                       fmt::format("max_pool<{}, {}>(x, to, p, packs);", type, n)));
}

void MaxPool::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address) {
  if (packs_ > 0) launch(device_, **function_, shape_, inputs[0], outputs[0], pooling_, packs_);
}

MaxPoolGrad::MaxPoolGrad(Loader& loader, const TensorType& x, const TensorType& gradient, const Pool& pool)
    : device_(loader.device()), pooling_(pooling_of(x, gradient, pool)) {
  const int n = channels_a_thread(x);
  const std::string where = "gradient of a max pool of " + x.str(), type = code_type(x.dtype);
  packs_ = as_int(x.shape.count() / n, "packs of channels", where);
  window_packs_ = as_int(gradient.shape.count() / n, "packs of channels", where);
  find_shape_ = one_thread_each(window_packs_, where);
  gather_shape_ = one_thread_each(packs_, where);
  const bool bytes = pool.window[0] * pool.window[1] <= 256;
  scratch_bytes_ = static_cast<std::size_t>(gradient.shape.count()) * (bytes ? 1 : 4);
  const std::string index = bytes ? "u8" : "unsigned";
  const std::string variant = fmt::format("{}_{}_{}", name_of(x.dtype), bytes ? "u8" : "u32", n);
  const std::string arguments = fmt::format("<{}, {}, {}>", type, index, n);
  find_ = loader.ask(kernel_source("max_pool_taps_" + variant,
                                   fmt::format("const {}* x, {}* to, Pooling p, int packs", type, index),
                                   "max_pool_taps" + arguments + "(x, to, p, packs);"));
  gather_ =
      loader.ask(kernel_source("max_pool_grad_" + variant,
                               fmt::format("const {1}* taps, const {0}* gradients, {0}* to, Pooling p, int packs", type, index),
                               "max_pool_grad" + arguments + "(taps, gradients, to, p, packs);"));
}

void MaxPoolGrad::enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address scratch) {
  if (packs_ == 0) return;
  const std::byte* const taps = scratch;
  launch(device_, **find_, find_shape_, inputs[0], scratch, pooling_, window_packs_);
  launch(device_, **gather_, gather_shape_, taps, inputs[1], outputs[0], pooling_, packs_);
}

}  // namespace qfw::cuda
