#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cuda/device.h"

namespace emulated {

/// Work of streams, done as late as it may be.
class Streams {
 public:
  using Stream = qfw::cuda::Stream;
  using Work = std::function<void()>;

  /// The state of an event: how often it was recorded, and up to which of these records its stream has come.
  struct Moment {
    Stream stream{};
    std::uint64_t recorded = 0, reached = 0;
    std::uint64_t recording = 0;  ///< in which it was recorded last, by number; 0: in none
    double at = 0;                ///< of the work done so far, when it was reached last
  };

  void add(Stream stream, Work work);
  void record(Stream stream, const std::shared_ptr<Moment>& moment);
  /// Nothing, if it was never recorded. Throws where the one of them is being recorded and the other was not with it.
  void wait(Stream stream, const std::shared_ptr<Moment>& moment);
  /// Does what is left in a stream, and of others what events ask for.
  void drain(Stream stream);
  bool idle(Stream stream) const { return queues_[index(stream)].empty(); }

  /// What was added between them, in order. Throws unless other streams began with a wait for the compute stream and are waited
  /// for by it in the end.
  struct Operation {
    enum class Kind { work, record, wait } kind{};
    Stream stream{};
    Work work;
    std::shared_ptr<Moment> moment;
  };
  using Operations = std::vector<Operation>;
  void begin_recording();
  Operations end_recording();
  void abandon_recording() { recording_ = false; }
  bool recording() const { return recording_; }
  void replay(const Operations& operations);

 private:
  struct Queued {
    Work work;  ///< none: an event is reached or waited for
    std::shared_ptr<Moment> moment;
    bool waits = false;
    std::uint64_t count = 0;  ///< of the moment's records, which it is or waits for
  };

  static std::size_t index(Stream stream) { return static_cast<std::size_t>(stream); }
  void give(const Operation& operation);
  void keep(const Operation& operation);
  void queue(const Operation& operation);
  void run_front(Stream stream);
  void reach(const std::shared_ptr<Moment>& moment, std::uint64_t count);

  std::array<std::deque<Queued>, qfw::cuda::stream_count> queues_;
  bool recording_ = false;
  std::uint64_t recordings_ = 0;
  Operations recorded_;
  double done_ = 0;
};

}  // namespace emulated
