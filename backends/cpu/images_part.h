#pragma once

#include <memory>
#include <vector>

#include "by_images.h"
#include "loaded_program.h"
#include "pages.h"

namespace qfw::cpu {

/// The first part of a graph in two (ByImages), run by all threads of a context: each takes a few images after the other
/// through a program of its own, without waiting for the others in between.
class ImagesPart {
 public:
  ImagesPart(const ByImages& split, Context& context, Communicator& replicas);

  /// Of the whole graph's feeds. Notes times in `intervals`, if it is not empty: for each task its share of the part's time, by
  /// what all threads spent on it.
  void run(Executable::Step step, std::span<const HostView> feeds, std::span<Executable::Interval> intervals);

  std::span<const HostView> results() const { return results_; }  ///< of all images, in the order of ByImages::first.fetches
  std::vector<Executable::Task> tasks() const;                    ///< nodes of the whole graph
  const Program& program() const { return of_thread_.front().loaded->program(); }  ///< that of one thread
  std::int64_t bytes() const;  ///< for intermediate values: of all threads, and what is handed on

 private:
  struct OfThread {
    std::unique_ptr<LoadedProgram> loaded;
    std::vector<HostView> feeds;
    std::vector<HostTensor> fetches;
    std::vector<Executable::Interval> intervals;
    std::vector<std::chrono::nanoseconds> spent;
  };

  void run_slice(std::int64_t slice, Executable::Step step, std::span<const HostView> feeds, bool timed, OfThread& own);
  void share_out(std::chrono::steady_clock::time_point begin, std::span<Executable::Interval> intervals) const;

  Context& context_;
  std::int64_t slices_;
  std::vector<int> inputs_, nodes_;
  std::vector<OfThread> of_thread_;
  std::vector<Pages> memory_;  ///< of results
  std::vector<HostView> results_;
  std::vector<HostTensor> written_;  ///< the same, to write
};

}  // namespace qfw::cpu
