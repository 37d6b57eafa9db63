#include "streams.h"

#include <algorithm>
#include <stdexcept>

namespace emulated {

void Streams::add(Stream stream, Work work) { give({Operation::Kind::work, stream, std::move(work), nullptr}); }

void Streams::record(Stream stream, const std::shared_ptr<Moment>& moment) {
  give({Operation::Kind::record, stream, {}, moment});
}

void Streams::wait(Stream stream, const std::shared_ptr<Moment>& moment) { give({Operation::Kind::wait, stream, {}, moment}); }

void Streams::give(const Operation& operation) {
  if (recording_) {
    recorded_.push_back(operation);
    return;
  }
  auto& queue = queues_[index(operation.stream)];
  switch (operation.kind) {
    case Operation::Kind::work:
      queue.push_back({operation.work, nullptr});
      return;
    case Operation::Kind::record:
      operation.moment->stream = operation.stream;
      queue.push_back({{}, operation.moment, false, ++operation.moment->recorded});
      return;
    case Operation::Kind::wait:
      if (operation.moment->recorded > 0) queue.push_back({{}, operation.moment, true, operation.moment->recorded});
  }
}

void Streams::drain(Stream stream) {
  if (recording_) throw std::runtime_error("emulated device: waited for a stream that is being recorded");
  while (!idle(stream)) run_front(stream);
}

void Streams::run_front(Stream stream) {
  auto& queue = queues_[index(stream)];
  const Queued front = std::move(queue.front());
  queue.pop_front();
  if (front.work) {
    front.work();
    done_ += 1e-6;
  } else if (front.waits) {
    reach(front.moment, front.count);
  } else {
    front.moment->reached = front.count;
    front.moment->at = done_;
  }
}

void Streams::reach(const std::shared_ptr<Moment>& moment, std::uint64_t count) {
  while (moment->reached < count) {
    if (idle(moment->stream)) throw std::runtime_error("emulated device: streams wait for each other");
    run_front(moment->stream);
  }
}

void Streams::begin_recording() {
  recording_ = true;
  recorded_.clear();
}

Streams::Operations Streams::end_recording() {
  recording_ = false;
  std::array<bool, qfw::cuda::stream_count> forked{true}, open{};
  std::vector<const Moment*> of_compute;
  const auto is_of_compute = [&](const Moment* moment) {
    return std::find(of_compute.begin(), of_compute.end(), moment) != of_compute.end();
  };
  std::array<std::vector<const Moment*>, qfw::cuda::stream_count> ends;
  for (const Operation& operation : recorded_) {
    const std::size_t at = index(operation.stream);
    if (operation.kind == Operation::Kind::wait && operation.stream != Stream::compute && is_of_compute(operation.moment.get()))
      forked[at] = true;
    if (!forked[at])
      throw std::runtime_error("emulated device: a recorded stream does not begin with a wait for the compute stream");
    if (operation.stream == Stream::compute) {
      if (operation.kind == Operation::Kind::record) of_compute.push_back(operation.moment.get());
      if (operation.kind == Operation::Kind::wait) {
        for (std::size_t s = 0; s < ends.size(); ++s) {
          if (std::find(ends[s].begin(), ends[s].end(), operation.moment.get()) != ends[s].end()) open[s] = false;
        }
      }
    } else if (operation.kind == Operation::Kind::record) {
      ends[at].push_back(operation.moment.get());
    } else {
      open[at] = true;
      ends[at].clear();
    }
  }
  for (const bool each : open) {
    if (each)
      throw std::runtime_error("emulated device: the compute stream does not wait for work of another that was recorded");
  }
  return std::move(recorded_);
}

void Streams::replay(const Operations& operations) {
  for (const Operation& operation : operations) give(operation);
}

}  // namespace emulated
