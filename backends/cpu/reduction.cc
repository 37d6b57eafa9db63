#include "reduction.h"

#include <cstring>

namespace qfw::cpu {
namespace {

class Start final : public Kernel {
 public:
  explicit Start(std::shared_ptr<Reduction> reduction) : reduction_(std::move(reduction)) {}

  const char* kind() const override { return "all_reduce"; }
  bool in_place(int input, int output) const override { return input == output; }
  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    reduction_->start(inputs, outputs);
  }

 private:
  std::shared_ptr<Reduction> reduction_;
};

class Wait final : public Kernel {
 public:
  explicit Wait(std::shared_ptr<Reduction> reduction) : reduction_(std::move(reduction)) {}

  const char* kind() const override { return "waiting for replicas"; }
  void run(Executable::Step, std::span<const void* const>, std::span<void* const>) override { reduction_->wait(); }

 private:
  std::shared_ptr<Reduction> reduction_;
};

}  // namespace

Reduction::Reduction(std::span<const std::size_t> counts, Across how, Communicator& replicas)
    : counts_(counts.begin(), counts.end()),
      how_(how == Across::sum ? Communicator::Reduction::sum : Communicator::Reduction::mean),
      replicas_(replicas),
      results_(counts.size()) {
  std::size_t all = 0;
  for (const std::size_t count : counts_) all += count;
  if (counts_.size() > 1) together_.resize(all);
}

void Reduction::start(std::span<const void* const> inputs, std::span<void* const> outputs) {
  for (std::size_t i = 0; i < counts_.size(); ++i) results_[i] = static_cast<float*>(outputs[i]);
  float* data = counts_.size() == 1 ? results_[0] : together_.data();
  float* next = data;
  std::size_t all = 0;
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    if (inputs[i] != next) std::memcpy(next, inputs[i], counts_[i] * sizeof(float));
    next += counts_[i];
    all += counts_[i];
  }
  const TensorType type{{static_cast<std::int64_t>(all)}, DType::f32};
  ticket_ = replicas_.start({type, std::as_writable_bytes(std::span(data, all))}, how_);
}

void Reduction::wait() {
  replicas_.wait(ticket_);
  if (counts_.size() == 1) return;
  const float* next = together_.data();
  for (std::size_t i = 0; i < counts_.size(); ++i) {
    std::memcpy(results_[i], next, counts_[i] * sizeof(float));
    next += counts_[i];
  }
}

std::unique_ptr<Kernel> make_reduce_start(std::shared_ptr<Reduction> reduction) {
  return std::make_unique<Start>(std::move(reduction));
}
std::unique_ptr<Kernel> make_reduce_wait(std::shared_ptr<Reduction> reduction) {
  return std::make_unique<Wait>(std::move(reduction));
}

}  // namespace qfw::cpu
