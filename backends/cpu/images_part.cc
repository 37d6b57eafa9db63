#include "images_part.h"

#include <omp.h>

#include <exception>

#include "qfw/denormals.h"

namespace qfw::cpu {

ImagesPart::ImagesPart(const ByImages& split, Context& context, Communicator& replicas)
    : context_(context), slices_(split.images / split.at_once), inputs_(split.first_inputs), nodes_(split.first_nodes) {
  for (const Fetch& fetch : split.first.fetches) {
    const TensorType& slice = split.first.type(fetch.use);
    std::vector<std::int64_t> extents(slice.shape.begin(), slice.shape.end());
    extents[0] = split.images;
    const TensorType whole{Shape(std::span<const std::int64_t>(extents)), slice.dtype};
    const Pages& pages = memory_.emplace_back(whole.bytes());
    written_.push_back({whole, {pages.data(), whole.bytes()}});
    results_.emplace_back(written_.back());
  }
  of_thread_.resize(static_cast<std::size_t>(context.threads));
  for (int thread = 0; thread < context.threads; ++thread) {
    OfThread& own = of_thread_[static_cast<std::size_t>(thread)];
    own.loaded = std::make_unique<LoadedProgram>(split.first, context.of_thread(thread), replicas);
    for (const Input& input : split.first.inputs) own.feeds.emplace_back(input.type, std::span<const std::byte>());
    for (const Fetch& fetch : split.first.fetches) own.fetches.push_back({split.first.type(fetch.use), {}});
    own.intervals.resize(own.loaded->program().instructions.size());
    own.spent.resize(own.intervals.size());
  }
}

void ImagesPart::run(Executable::Step step, std::span<const HostView> feeds, std::span<Executable::Interval> intervals) {
  const auto begin = std::chrono::steady_clock::now();
  const bool timed = !intervals.empty();
  std::exception_ptr error;
#pragma omp parallel num_threads(context_.threads)
  {
    const FlushDenormals flush;
    OfThread& own = of_thread_[static_cast<std::size_t>(omp_get_thread_num())];
    std::ranges::fill(own.spent, std::chrono::nanoseconds(0));
#pragma omp for schedule(dynamic)
    for (std::int64_t slice = 0; slice < slices_; ++slice) {
      try {
        run_slice(slice, step, feeds, timed, own);
      } catch (...) {
#pragma omp critical
        error = std::current_exception();
      }
    }
  }
  if (error) std::rethrow_exception(error);
  if (timed) share_out(begin, intervals);
}

void ImagesPart::run_slice(std::int64_t slice, Executable::Step step, std::span<const HostView> feeds, bool timed,
                           OfThread& own) {
  const auto at = static_cast<std::size_t>(slice);
  for (std::size_t i = 0; i < own.feeds.size(); ++i) {
    const std::size_t bytes = own.feeds[i].type.bytes();
    own.feeds[i].bytes = feeds[static_cast<std::size_t>(inputs_[i])].bytes.subspan(at * bytes, bytes);
  }
  for (std::size_t i = 0; i < own.fetches.size(); ++i) {
    const std::size_t bytes = own.fetches[i].type.bytes();
    own.fetches[i].bytes = written_[i].bytes.subspan(at * bytes, bytes);
  }
  if (!timed) return own.loaded->run(step, own.feeds, own.fetches);
  own.loaded->run(step, own.feeds, own.fetches, own.intervals);
  for (std::size_t i = 0; i < own.spent.size(); ++i) own.spent[i] += own.intervals[i].end - own.intervals[i].begin;
}

void ImagesPart::share_out(std::chrono::steady_clock::time_point begin, std::span<Executable::Interval> intervals) const {
  using Nanoseconds = std::chrono::nanoseconds;
  const Nanoseconds all = std::chrono::steady_clock::now() - begin;
  Nanoseconds spent(0);
  for (const OfThread& own : of_thread_) {
    for (const Nanoseconds time : own.spent) spent += time;
  }
  const double share = spent.count() > 0 ? static_cast<double>(all.count()) / static_cast<double>(spent.count()) : 0;
  Nanoseconds before(0);
  for (std::size_t i = 0; i < intervals.size(); ++i) {
    const auto at = [&] { return begin + Nanoseconds(static_cast<std::int64_t>(static_cast<double>(before.count()) * share)); };
    intervals[i].begin = at();
    for (const OfThread& own : of_thread_) before += own.spent[i];
    intervals[i].end = at();
  }
}

std::vector<Executable::Task> ImagesPart::tasks() const {
  std::vector<Executable::Task> tasks = of_thread_.front().loaded->tasks();
  for (Executable::Task& task : tasks) {
    for (int& node : task.nodes) node = nodes_[static_cast<std::size_t>(node)];
    std::ranges::sort(task.nodes);
    task.bytes *= slices_;
    task.implementation += ", image by image";
  }
  return tasks;
}

std::int64_t ImagesPart::bytes() const {
  std::int64_t bytes = 0;
  for (const Pages& pages : memory_) bytes += static_cast<std::int64_t>(pages.bytes());
  for (const OfThread& own : of_thread_) bytes += static_cast<std::int64_t>(own.loaded->program().arena_bytes);
  return bytes;
}

}  // namespace qfw::cpu
