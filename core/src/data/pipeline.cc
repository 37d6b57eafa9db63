#include "data/pipeline.h"

#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <limits>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

#include "data/labels.h"
#include "data/shuffle.h"
#include "data/with_place.h"
#include "qfw/error.h"
#include "util/counted.h"
#include "util/signals.h"

namespace qfw {
namespace {

constexpr std::size_t alignment = 64;

struct AlignedDelete {
  void operator()(void* memory) const { ::operator delete[](memory, std::align_val_t(alignment)); }
};
template <class T>
using AlignedArray = std::unique_ptr<T[], AlignedDelete>;

template <class T>
AlignedArray<T> aligned_array(std::size_t count) {
  return AlignedArray<T>(static_cast<T*>(::operator new[](count * sizeof(T), std::align_val_t(alignment))));
}

/// One batch under construction or in the consumer's hands.
struct Slot {
  AlignedArray<float> images;
  AlignedArray<std::int32_t> labels;
  std::int64_t left = 0;  ///< rows not yet decoded
  std::exception_ptr error;
  std::int64_t error_row = 0;
};

/// Decoding gives way to computing: where one of the computing threads is held up, all wait for it. A decoding thread that
/// wakes takes no processor away from them (SCHED_BATCH), and where both want one it gets about a quarter. Less would starve it
/// where other processes are busy, and computing with it, which then waits for images; and what a thread gave up it cannot take
/// back without privileges. On Linux this is of the calling thread alone.
void lower_priority() {
  constexpr int nicer = 5, nicest = 19;
  const auto self = static_cast<id_t>(gettid());
  setpriority(PRIO_PROCESS, self, std::min(getpriority(PRIO_PROCESS, self) + nicer, nicest));
  const sched_param parameters{};
  sched_setscheduler(0, SCHED_BATCH, &parameters);
}

}  // namespace

std::int64_t steps_per_epoch(std::int64_t examples, std::int64_t batch, int replicas, bool training) {
  const std::int64_t together = batch * replicas;
  return training ? examples / together : (examples + together - 1) / together;
}

struct Pipeline::Impl {
  Impl(const Dataset& dataset, const Augment& augment, const PipelineSettings& settings);
  ~Impl();

  struct Work {
    std::uint64_t sequence;   ///< batches since the start
    std::int64_t begin, end;  ///< rows
  };

  DataPosition position_of(std::uint64_t sequence) const;
  int count_of(std::uint64_t sequence) const;
  Slot& slot_of(std::uint64_t sequence) { return slots_[sequence % slots_.size()]; }

  void work();
  std::optional<Work> take(std::unique_lock<std::mutex>& lock);
  void decode_row(const Work& work, std::int64_t row, const std::vector<std::uint32_t>* order);
  std::int64_t decode(std::int64_t index, std::uint64_t epoch, std::span<float> image) const;
  std::optional<Batch> next();
  std::optional<std::span<const float>> upcoming();

  const Dataset& dataset_;
  const Augment& augment_;
  const PipelineSettings settings_;
  Shape shape_;
  std::int64_t image_size_ = 0, examples_ = 0, steps_ = 0, classes_ = 0;
  std::uint64_t first_ = 0;  ///< start as a number of steps since epoch 0
  std::uint64_t total_ = std::numeric_limits<std::uint64_t>::max();

  std::vector<Slot> slots_;
  ShuffledOrders orders_;

  std::mutex mutex_;
  std::condition_variable work_possible_, batch_ready_;
  std::uint64_t taken_ = 0;         ///< sequence of the batch whose rows are being handed out
  std::int64_t taken_row_ = 0;      ///< its next row
  std::uint64_t delivered_ = 0;     ///< batches handed to the consumer
  std::uint64_t released_ = 0;      ///< batches the consumer is done with
  std::atomic<bool> stop_ = false;  ///< written under the lock, read between rows without it
  std::exception_ptr failure_;
  std::vector<std::thread> threads_;
};

Pipeline::Impl::Impl(const Dataset& dataset, const Augment& augment, const PipelineSettings& settings)
    : dataset_(dataset), augment_(augment), settings_(settings), orders_(settings.seed) {
  const auto usage = [](const std::string& what, std::string_view remedy) {
    fail(Error::Category::usage, "pipeline", what, {}, remedy);
  };
  if (settings.batch < 1 || settings.batch > std::numeric_limits<int>::max()) {
    usage(fmt::format("a batch of {} images", settings.batch), "set train.batch_size to at least 1");
  }
  if (settings.workers < 1 || settings.prefetch < 1) {
    usage(fmt::format("{} workers, {} batches ahead", settings.workers, settings.prefetch), "both must be at least 1");
  }
  if (settings.replicas < 1 || settings.rank < 0 || settings.rank >= settings.replicas) {
    usage(fmt::format("replica {} of {}", settings.rank, settings.replicas), {});
  }
  shape_ = augment.output(dataset.shape());
  if (shape_.rank() != 3 || shape_.count() < 1) {
    usage(fmt::format("the augment makes images of shape {}, expected [height, width, channels]", shape_.str()), {});
  }
  image_size_ = shape_.count();
  classes_ = dataset.classes();
  const std::int64_t size = dataset.size(settings.split);
  require_labels(dataset, settings.split);
  examples_ = settings.examples > 0 ? std::min(settings.examples, size) : size;
  if (examples_ > std::numeric_limits<std::uint32_t>::max()) usage(fmt::format("{} examples are too many", examples_), {});
  steps_ = qfw::steps_per_epoch(examples_, settings.batch, settings.replicas, settings.training);
  if (steps_ == 0) {
    usage(fmt::format("split {} has {}, a step takes {} x {}", settings.split, counted(examples_, "example"), settings.batch,
                      settings.replicas),
          "choose a smaller train.batch_size");
  }
  if (settings.training) {
    first_ = settings.start.epoch * static_cast<std::uint64_t>(steps_) + settings.start.step;
  } else {
    total_ = static_cast<std::uint64_t>(steps_);
  }

  slots_.resize(static_cast<std::size_t>(settings.prefetch) + 1);
  const auto batch = static_cast<std::size_t>(settings.batch);
  for (Slot& slot : slots_) {
    slot.images = aligned_array<float>(batch * static_cast<std::size_t>(image_size_));
    slot.labels = aligned_array<std::int32_t>(batch);
  }
  for (std::uint64_t sequence = 0; sequence < slots_.size() && sequence < total_; ++sequence) {
    slots_[sequence].left = count_of(sequence);
  }

  const StartsThreads without_signals;
  try {
    for (int i = 0; i < settings.workers; ++i) threads_.emplace_back([this] { work(); });
  } catch (const std::exception& error) {
    if (threads_.empty()) fail(Error::Category::device, "pipeline", fmt::format("cannot start a thread: {}", error.what()));
  }
}

Pipeline::Impl::~Impl() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  work_possible_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

DataPosition Pipeline::Impl::position_of(std::uint64_t sequence) const {
  const std::uint64_t number = first_ + sequence, steps = static_cast<std::uint64_t>(steps_);
  return {number / steps, number % steps};
}

int Pipeline::Impl::count_of(std::uint64_t sequence) const {
  if (settings_.training) return static_cast<int>(settings_.batch);
  const std::int64_t begin = (static_cast<std::int64_t>(sequence) * settings_.replicas + settings_.rank) * settings_.batch;
  return static_cast<int>(std::clamp<std::int64_t>(examples_ - begin, 0, settings_.batch));
}

/// Some rows of the earliest batch that has any left to hand out; waits while all buffers are in use.
std::optional<Pipeline::Impl::Work> Pipeline::Impl::take(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    work_possible_.wait(lock, [this] { return stop_ || taken_ >= total_ || taken_ < released_ + slots_.size(); });
    if (stop_ || taken_ >= total_) return std::nullopt;
    const std::int64_t count = count_of(taken_);
    if (taken_row_ >= count) {
      ++taken_;
      taken_row_ = 0;
      continue;
    }
    // Several rows at a time, so that cheap images do not wait for the lock, but few enough to share out a batch.
    const std::int64_t rows = std::clamp<std::int64_t>(settings_.batch / (4 * settings_.workers), 1, 32);
    Work work{taken_, taken_row_, std::min(taken_row_ + rows, count)};
    taken_row_ = work.end;
    return work;
  }
}

void Pipeline::Impl::work() {
  lower_priority();
  std::unique_lock lock(mutex_);
  while (const auto work = take(lock)) {
    lock.unlock();
    std::exception_ptr error;
    std::int64_t row = work->begin;
    try {
      const DataPosition position = position_of(work->sequence);
      const auto order = settings_.training ? orders_.get(position.epoch, static_cast<std::uint32_t>(examples_)) : nullptr;
      for (; row < work->end && !stop_; ++row) decode_row(*work, row, order.get());
    } catch (...) {
      error = std::current_exception();
    }
    lock.lock();
    Slot& slot = slot_of(work->sequence);
    if (error && (!slot.error || row < slot.error_row)) {
      slot.error = error;
      slot.error_row = row;
    }
    slot.left -= work->end - work->begin;
    if (slot.left == 0) batch_ready_.notify_one();
  }
}

void Pipeline::Impl::decode_row(const Work& work, std::int64_t row, const std::vector<std::uint32_t>* order) {
  const DataPosition position = position_of(work.sequence);
  const std::int64_t place =
      (static_cast<std::int64_t>(position.step) * settings_.replicas + settings_.rank) * settings_.batch + row;
  std::int64_t index = order ? (*order)[static_cast<std::size_t>(place)] : place;
  Slot& slot = slot_of(work.sequence);
  const auto size = static_cast<std::size_t>(image_size_);
  const std::span<float> image(slot.images.get() + static_cast<std::size_t>(row) * size, size);
  std::int32_t& label = slot.labels[static_cast<std::size_t>(row)];
  for (std::int64_t tried = 1;; ++tried) {
    try {
      label = static_cast<std::int32_t>(decode(index, position.epoch, image));
      return;
    } catch (const Error& error) {
      if (settings_.corrupt == nullptr || error.category() != Error::Category::data || tried == examples_) throw;
      settings_.corrupt->met(settings_.split, index, error);
    }
    if (!settings_.training) {
      std::ranges::fill(image, 0.0f);
      label = -1;
      return;
    }
    index = (index + 1) % examples_;
  }
}

/// Writes the image and returns the label.
std::int64_t Pipeline::Impl::decode(std::int64_t index, std::uint64_t epoch, std::span<float> image) const {
  const Example example = dataset_.get(settings_.split, index);
  if (example.label < 0 || example.label >= classes_) {
    fail(Error::Category::data, "pipeline",
         example.label == -1
             ? "the example has no label (-1)"
             : fmt::format("label {}, but the data set has {}", example.label, counted(classes_, "class", "classes")),
         dataset_.place(settings_.split, index));
  }
  RandomStream random(settings_.seed, epoch, static_cast<std::uint64_t>(index));
  try {
    augment_.apply(example, random, settings_.training, image);
  } catch (const Error& error) {
    throw with_place(error, dataset_.place(settings_.split, index));
  }
  return example.label;
}

std::optional<Batch> Pipeline::Impl::next() {
  std::unique_lock lock(mutex_);
  if (failure_) std::rethrow_exception(failure_);
  if (released_ < delivered_) {
    Slot& slot = slot_of(released_);
    const std::uint64_t later = released_ + slots_.size();  // the batch this buffer serves next
    slot.left = later < total_ ? count_of(later) : 0;
    slot.error = nullptr;
    ++released_;
    work_possible_.notify_all();
  }
  if (delivered_ >= total_) return std::nullopt;

  Slot& slot = slot_of(delivered_);
  batch_ready_.wait(lock, [&] { return slot.left == 0; });
  if (slot.error) {
    failure_ = slot.error;
    stop_ = true;
    work_possible_.notify_all();
    std::rethrow_exception(failure_);
  }
  const std::uint64_t sequence = delivered_++;
  lock.unlock();

  const auto batch = static_cast<std::size_t>(settings_.batch), size = static_cast<std::size_t>(image_size_);
  const auto count = static_cast<std::size_t>(count_of(sequence));
  std::fill(slot.images.get() + count * size, slot.images.get() + batch * size, 0.0f);
  std::fill(slot.labels.get() + count, slot.labels.get() + batch, 0);
  return Batch{.images = {slot.images.get(), batch * size},
               .labels = {slot.labels.get(), batch},
               .count = static_cast<int>(count),
               .position = position_of(sequence)};
}

std::optional<std::span<const float>> Pipeline::Impl::upcoming() {
  const std::lock_guard lock(mutex_);
  if (delivered_ >= total_ || count_of(delivered_) < settings_.batch) return std::nullopt;
  const Slot& slot = slot_of(delivered_);
  if (slot.left > 0 || slot.error) return std::nullopt;
  return std::span<const float>(slot.images.get(), static_cast<std::size_t>(settings_.batch * image_size_));
}

Pipeline::Pipeline(const Dataset& dataset, const Augment& augment, const PipelineSettings& settings)
    : impl_(std::make_unique<Impl>(dataset, augment, settings)) {}
Pipeline::~Pipeline() = default;

std::optional<Batch> Pipeline::next() { return impl_->next(); }
std::optional<std::span<const float>> Pipeline::upcoming() const { return impl_->upcoming(); }
Shape Pipeline::image_shape() const { return impl_->shape_; }
std::int64_t Pipeline::examples() const { return impl_->examples_; }
std::int64_t Pipeline::steps_per_epoch() const { return impl_->steps_; }
DataPosition Pipeline::position() const { return impl_->position_of(impl_->delivered_); }

}  // namespace qfw
