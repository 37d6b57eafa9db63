#include "predict/predictor.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <exception>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "predict/batches.h"
#include "qfw/communicator.h"
#include "qfw/error.h"

namespace qfw::predict {

namespace {

/// The only replica.
class Alone final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void all_reduce(std::span<float>, Reduction) override {}
  void broadcast(std::span<std::byte>, int) override {}
  void barrier() override {}
};

/// Of one thread.
class Lane {
 public:
  Lane(const Graph& graph, const Predictor::MakeBackend& make) : graph_(graph), backend_(make()) {
    for (const Node& node : graph_.nodes) {
      if (const auto support = backend_->supports(graph_, node); !support.yes) {
        fail(Error::Category::device, "predict",
             fmt::format("the backend does not take {}: {}", name_of(node.op), support.reason), "layer " + node.path,
             "choose another backend");
      }
    }
    executable(1);
  }

  const Backend& backend() const { return *backend_; }

  void run(std::int64_t images, std::span<const float> pixels, std::span<float> logits) {
    Executable& made = executable(images);
    TensorType from = graph_.inputs[0].type, to = graph_.type(graph_.fetches[0].use);
    from.shape = Shape{images, from.shape[1], from.shape[2], from.shape[3]};
    to.shape = Shape{images, to.shape[1]};
    const HostView feed(from, std::as_bytes(pixels));
    const HostTensor fetch{to, std::as_writable_bytes(logits)};
    made.run({}, std::span(&feed, 1), std::span(&fetch, 1));
  }

 private:
  Executable& executable(std::int64_t images) {
    auto& made = executables_[images];
    if (!made) made = backend_->compile(for_images(graph_, images), alone_);
    return *made;
  }

  const Graph& graph_;
  Alone alone_;
  std::unique_ptr<Backend> backend_;
  std::map<std::int64_t, std::unique_ptr<Executable>> executables_;  ///< by number of images
};

/// What one caller waits for.
struct Call {
  std::size_t left = 0;  ///< batches
  std::exception_ptr error;
  std::condition_variable done;
};

struct Job {
  Call* call = nullptr;
  std::int64_t images = 0;
  std::span<const float> pixels;
  std::span<float> logits;
};

void check_finite(std::span<const float> values, std::size_t of_one, const char* what, const char* remedy) {
  const auto bad = std::ranges::find_if(values, [](float value) { return !std::isfinite(value); });
  if (bad == values.end()) return;
  const auto at = static_cast<std::size_t>(bad - values.begin());
  fail(Error::Category::data, "predict",
       fmt::format("{} {} of image {} is {}, not a finite number", what, at % of_one, at / of_one, *bad), {}, remedy);
}

}  // namespace

struct Predictor::Impl {
  Impl(FrozenModel of, MakeBackend make_backend, Settings settings)
      : model(std::move(of)), make(std::move(make_backend)), lane_count(std::max(1, settings.lanes)) {
    verify(model);
    if (model.preparation) {
      const image::Preparation& found = *model.preparation;
      if (Shape{found.height, found.width, found.channels} != model.image()) {
        fail(Error::Category::data, "predict",
             fmt::format("pictures are prepared as [{}, {}, {}], the network reads {}", found.height, found.width,
                         found.channels, model.image().str()));
      }
      preparer.emplace(found);
    }
    start(0);
    std::unique_lock lock(mutex);
    ready.wait(lock, [this] { return lanes_ready > 0 || failure; });
    if (failure) {
      lock.unlock();
      stop();
      std::rethrow_exception(failure);
    }
    lock.unlock();
    batch = settings.batch > 0 ? settings.batch : (16 + threads - 1) / threads * threads;
    sizes = batch_sizes(batch);
    try {
      for (int i = 1; i < lane_count; ++i) start(i);
    } catch (...) {
      stop();
      throw;
    }
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
    }
    work.notify_all();
    for (std::thread& thread : crew) thread.join();
    crew.clear();
  }

  /// A lane is made in its own thread, whose team of OpenMP threads it computes with from then on.
  void start(int number) {
    crew.emplace_back([this, number] { serve(number); });
  }

  void serve(int number) {
    std::unique_ptr<Lane> lane;
    const auto make_lane = [&] {
      if (!lane) lane = std::make_unique<Lane>(model.graph, make);
    };
    if (number == 0) {
      try {
        make_lane();
        const std::lock_guard lock(mutex);
        description = lane->backend().describe();
        threads = std::max(1, lane->backend().threads());
        ++lanes_ready;
      } catch (...) {
        const std::lock_guard lock(mutex);
        failure = std::current_exception();
      }
      ready.notify_all();
    }
    for (;;) {
      std::unique_lock lock(mutex);
      work.wait(lock, [this] { return ending || !queue.empty(); });
      if (queue.empty()) return;
      const Job job = queue.front();
      queue.pop_front();
      const bool wanted = !job.call->error;
      lock.unlock();
      std::exception_ptr error;
      try {
        if (wanted) {
          make_lane();
          lane->run(job.images, job.pixels, job.logits);
        }
      } catch (...) {
        error = std::current_exception();
      }
      lock.lock();
      if (error && !job.call->error) job.call->error = error;
      if (--job.call->left == 0) job.call->done.notify_all();  // under the lock: the call lives on its caller's stack
    }
  }

  void compute(std::span<const float> pixels, std::span<float> logits) {
    const auto elements = static_cast<std::size_t>(model.image().count()), rows = static_cast<std::size_t>(model.classes());
    Call call;
    std::unique_lock lock(mutex);
    auto left = static_cast<std::int64_t>(pixels.size() / elements);
    while (left > 0) {
      const std::int64_t images = *std::ranges::find_if(sizes, [left](std::int64_t size) { return size <= left; });
      const auto count = static_cast<std::size_t>(images);
      queue.push_back({&call, images, pixels.first(count * elements), logits.first(count * rows)});
      ++call.left;
      pixels = pixels.subspan(count * elements);
      logits = logits.subspan(count * rows);
      left -= images;
    }
    work.notify_all();
    call.done.wait(lock, [&] { return call.left == 0; });
    if (call.error) std::rethrow_exception(call.error);
  }

  const FrozenModel model;
  const MakeBackend make;
  const int lane_count;
  std::optional<image::Preparer> preparer;
  std::string description;
  int threads = 1, batch = 1;
  std::vector<std::int64_t> sizes;

  std::mutex mutex;  ///< of all that follows
  std::condition_variable ready, work;
  int lanes_ready = 0;
  std::exception_ptr failure;
  bool ending = false;
  std::deque<Job> queue;
  std::vector<std::thread> crew;
};

Predictor::Predictor(FrozenModel model, MakeBackend make, Settings settings)
    : impl_(std::make_unique<Impl>(std::move(model), std::move(make), settings)) {}
Predictor::~Predictor() = default;

const FrozenModel& Predictor::model() const { return impl_->model; }
const std::string& Predictor::backend() const { return impl_->description; }
int Predictor::batch() const { return impl_->batch; }
int Predictor::lanes() const { return impl_->lane_count; }
std::size_t Predictor::image_elements() const { return static_cast<std::size_t>(impl_->model.image().count()); }
std::size_t Predictor::classes() const { return static_cast<std::size_t>(impl_->model.classes()); }

void Predictor::images(std::span<const float> images, std::span<float> logits) const {
  if (images.size() % image_elements() != 0 || images.size() / image_elements() * classes() != logits.size()) {
    fail(Error::Category::internal, "predict", fmt::format("{} values, room for {} logits", images.size(), logits.size()));
  }
  check_finite(images, image_elements(), "value", "give prepared images");
  impl_->compute(images, logits);
  check_finite(logits, classes(), "logit", "the network's numbers are beyond what floats hold");
}

void Predictor::prepare(const Example& picture, std::span<float> image) const {
  if (!impl_->preparer) {
    fail(Error::Category::usage, "predict", "the model does not say how pictures are prepared", {},
         "give it prepared images, or export it from a run whose augment says what evaluations do");
  }
  (*impl_->preparer)(picture, image);
}

void Predictor::pictures(std::span<const Example> pictures, std::span<float> logits) const {
  const std::size_t at_once = static_cast<std::size_t>(batch()) * static_cast<std::size_t>(lanes());
  std::vector<float> prepared(std::min(at_once, pictures.size()) * image_elements());
  for (std::size_t first = 0; first < pictures.size(); first += at_once) {
    const std::size_t count = std::min(at_once, pictures.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      try {
        prepare(pictures[first + i], std::span(prepared).subspan(i * image_elements(), image_elements()));
      } catch (const Error& error) {
        if (pictures.size() == 1) throw;
        throw Error(error.category(), fmt::format("{} (picture {} of {})", error.what(), first + i, pictures.size()));
      }
    }
    images(std::span(prepared).first(count * image_elements()), logits.subspan(first * classes(), count * classes()));
  }
}

}  // namespace qfw::predict
