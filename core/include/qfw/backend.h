#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qfw/communicator.h"
#include "qfw/graph.h"

namespace qfw {

/// A compiled step. Everything it needs was made by compile; run allocates nothing.
class QFW_API Executable {
 public:
  Executable() = default;
  Executable(const Executable&) = delete;
  Executable& operator=(const Executable&) = delete;
  virtual ~Executable();

  /// What one step reads from the host besides the graph's inputs.
  struct Step {
    std::int64_t index = 0;  ///< value of Op::step
    std::uint64_t seed = 0;  ///< of the run, for Op::random_uniform
  };
  /// `feeds` in the order of Graph::inputs, `fetches` of Graph::fetches; types must match. Returns when fetches are filled.
  /// Calls on executables of one backend must not overlap. Throws, naming it, if a variable was never written.
  virtual void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) = 0;
  /// Says what the run after the next one will be fed: memory that stays as it is until that run has returned. A feed without
  /// bytes is not known yet. A backend with memory of its own may bring them there while the next run computes; others do
  /// nothing. Holds for that one run.
  virtual void prefetch(std::span<const HostView> feeds);

  /// One of the things that a run does one after another: a kernel, a pass over memory, a wait.
  struct Task {
    std::string kind;            ///< of work, which its time is added up under: "conv2d forward", "fused elementwise"
    std::string implementation;  ///< for people: which of several ways it works; may be empty
    std::vector<int> nodes;      ///< those of the compiled graph that it computes, ascending; empty: none, it copies
    std::int64_t bytes = 0;      ///< of the tensors that it reads and of those that it writes; 0 for a wait
  };
  /// All of them in the order of a run; the same after every run.
  virtual std::vector<Task> tasks() const = 0;
  /// Whether runs from now on note when each task began and ended. A run that does allocates nothing either; one that does not
  /// takes no time for it.
  virtual void profile(bool on) = 0;
  struct Interval {
    std::chrono::steady_clock::time_point begin, end;
  };
  /// Of the last run, one for each task, in their order; empty unless that run was profiled. What they view is overwritten by
  /// the next run and lives as long as the executable.
  virtual std::span<const Interval> intervals() const = 0;

  /// Bytes of memory for intermediate values, shared among a backend's executables where it can.
  virtual std::int64_t arena_bytes() const = 0;
  /// A tensor there, from the task that writes it to the last one that reads it, both positions in tasks(). What is written
  /// over an input that is read for the last time is another tensor.
  struct Held {
    Use use;  ///< of the compiled graph
    std::int64_t bytes = 0;
    int first = 0, last = 0;
  };
  /// All of them, in the order in which they are written. Empty: not told.
  virtual std::vector<Held> held() const { return {}; }
};

/// Compiles graphs and owns the variables, which all its executables share by name.
class QFW_API Backend {
 public:
  struct Support {
    bool yes = true;
    std::string reason;  ///< why not, for a person
  };

  using Interface = Backend;
  static constexpr const char* kind = "backend";  ///< its word in recipes

  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;
  virtual ~Backend();

  virtual std::string describe() const = 0;  ///< one line: device, instruction set, threads, library versions
  virtual int threads() const = 0;           ///< that it computes with

  /// Multiplications a second, each with its addition, that the device does at the very best, with all that this backend
  /// computes with: what the speed of a run is held against. Of floats (bf16: of 16 bits, f16 included), and of 8-bit integers
  /// into 32-bit sums. 0: not known.
  struct Peak {
    double f32 = 0, bf16 = 0, integer = 0;
  };
  /// May take a twentieth of a second when it is asked for the first time.
  virtual Peak peak() const { return {}; }
  /// Bytes a second that memory beyond all caches gives and takes at the very best, with all threads: what passes over memory
  /// are held against. 0: not known. May take half a second and a few hundred MiB when it is asked for the first time.
  virtual double bandwidth() const { return 0; }

  /// Asked for each node before compile. A composite it declines is expanded into simpler ops first; declining anything else
  /// ends the run with the reason.
  virtual Support supports(const Graph& graph, const Node& node) const = 0;
  /// Which of its options have no effect in such a training step, whose composites are not expanded: a sentence each, for a
  /// person, with the option's whole key. What it says of every phase of a run is told at the run's start.
  virtual std::vector<std::string> notes(const Graph& training) const;
  /// Takes a finished graph (see Graph). Variables it has not seen come into being with undefined contents; write them before
  /// the first run. `replicas` outlives the executable and serves Op::all_reduce.
  virtual std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) = 0;

  /// Throw for a name no compiled graph has, and for a type that is not the variable's.
  virtual void read(std::string_view variable, HostTensor to) const = 0;
  virtual void write(std::string_view variable, HostView from) = 0;
};

}  // namespace qfw
