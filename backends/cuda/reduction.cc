#include "reduction.h"

#include <algorithm>
#include <numeric>

namespace qfw::cuda {
namespace {

class Start final : public Kernel {
 public:
  explicit Start(std::shared_ptr<Reduction> reduction) : reduction_(std::move(reduction)) {}

  const char* kind() const override { return "all_reduce"; }
  std::string implementation() const override { return reduction_->describe(); }
  bool on_host() const override { return reduction_->on_host(); }
  void enqueue(std::span<const std::byte* const> inputs, std::span<const Address> outputs, Address) override {
    reduction_->start(inputs, outputs);
  }

 private:
  std::shared_ptr<Reduction> reduction_;
};

class Wait final : public Kernel {
 public:
  explicit Wait(std::shared_ptr<Reduction> reduction) : reduction_(std::move(reduction)) {}

  const char* kind() const override { return "waiting for replicas"; }
  bool on_host() const override { return reduction_->on_host(); }
  void enqueue(std::span<const std::byte* const>, std::span<const Address>, Address) override { reduction_->wait(); }

 private:
  std::shared_ptr<Reduction> reduction_;
};

}  // namespace

Reduction::Reduction(std::span<const std::size_t> counts, Across how, Communicator& replicas, Context& context)
    : counts_(counts.begin(), counts.end()),
      all_(std::accumulate(counts.begin(), counts.end(), std::size_t{0})),
      how_(how),
      replicas_(replicas),
      context_(context),
      results_(counts.size()),
      pieces_(counts.size()),
      ready_(context.device().make_event()),
      done_(context.device().make_event()) {}

void Reduction::start(std::span<const std::byte* const> inputs, std::span<const Address> outputs) {
  std::ranges::copy(outputs, results_.begin());
  if (on_host()) return start_on_host(inputs);
  Device& device = context_.device();
  for (std::size_t i = 0; i < counts_.size(); ++i) {  // inputs may be overwritten from now on
    if (inputs[i] != outputs[i]) device.copy(Stream::compute, outputs[i], inputs[i], counts_[i] * sizeof(float));
    pieces_[i] = {outputs[i], counts_[i]};
  }
  device.record(Stream::compute, *ready_);
  device.wait(Stream::reduce, *ready_);
  collective()->all_reduce(Stream::reduce, pieces_, how_);
  device.record(Stream::reduce, *done_);
}

void Reduction::wait() {
  if (on_host()) return wait_on_host();
  context_.device().wait(Stream::compute, *done_);
}

void Reduction::start_on_host(std::span<const std::byte* const> inputs) {
  Device& device = context_.device();
  const std::size_t bytes = all_ * sizeof(float);
  if (staging_.data() == nullptr) staging_ = HostMemory(device, bytes);
  std::byte* to = staging_.data();
  for (std::size_t i = 0; i < counts_.size(); to += counts_[i++] * sizeof(float)) {
    device.copy_out(Stream::compute, to, inputs[i], counts_[i] * sizeof(float));
  }
  device.synchronize(Stream::compute);
  const TensorType type{{static_cast<std::int64_t>(all_)}, DType::f32};
  const auto how = how_ == Across::sum ? Communicator::Reduction::sum : Communicator::Reduction::mean;
  ticket_ = replicas_.start({type, {staging_.data(), bytes}}, how);
}

void Reduction::wait_on_host() {
  replicas_.wait(ticket_);
  const std::byte* from = staging_.data();
  for (std::size_t i = 0; i < counts_.size(); from += counts_[i++] * sizeof(float)) {
    context_.device().copy_in(Stream::compute, results_[i], from, counts_[i] * sizeof(float));
  }
}

std::unique_ptr<Kernel> make_reduce_start(std::shared_ptr<Reduction> reduction) {
  return std::make_unique<Start>(std::move(reduction));
}
std::unique_ptr<Kernel> make_reduce_wait(std::shared_ptr<Reduction> reduction) {
  return std::make_unique<Wait>(std::move(reduction));
}

}  // namespace qfw::cuda
