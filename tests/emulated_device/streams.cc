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
  if (recording_) return keep(operation);
  if (operation.kind == Operation::Kind::record) operation.moment->recording = 0;
  if (operation.kind == Operation::Kind::wait && operation.moment->recording != 0)
    throw std::runtime_error("emulated device: an event that was recorded with other work is waited for beside it");
  queue(operation);
}

void Streams::keep(const Operation& operation) {
  if (operation.kind == Operation::Kind::record) operation.moment->recording = recordings_;
  if (operation.kind == Operation::Kind::wait && operation.moment->recording != recordings_)
    throw std::runtime_error("emulated device: work that is recorded waits for an event that was not recorded with it");
  recorded_.push_back(operation);
}

void Streams::queue(const Operation& operation) {
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
  if (recording_) throw std::runtime_error("emulated device: a recording begins within another one");
  recording_ = true;
  ++recordings_;
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
  if (recording_) throw std::runtime_error("emulated device: what was recorded is replayed while work is recorded");
  for (const Operation& operation : operations) queue(operation);
}

}  // namespace emulated
