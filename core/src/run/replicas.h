#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "qfw/backend.h"
#include "qfw/communicator.h"
#include "recipe/recipe.h"

namespace qfw {

/// The replicas of this process: for each an end of the communicator, a backend with its own variables, and, where there are
/// several, a thread. Their variables are equal at all times, so reading those of the first is enough. One thread uses it.
/// Other processes may hold more replicas of the run; what all have to agree upon goes through any() and gather(), which cost
/// nothing where there is one process.
class Replicas {
 public:
  explicit Replicas(const Recipe& recipe);
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  ~Replicas();

  int count() const { return static_cast<int>(backends_.size()); }  ///< in this process
  int size() const { return communicator_->size(); }                ///< of the whole run
  int rank(int i) const { return communicator_->rank() + i; }
  bool alone() const { return count() == size(); }  ///< no other process is in the run
  bool leads() const { return rank(0) == 0; }       ///< this process alone writes files and speaks
  Backend& backend(int i = 0) { return *backends_[static_cast<std::size_t>(i)]; }
  const Backend& backend(int i = 0) const { return *backends_[static_cast<std::size_t>(i)]; }
  Communicator& communicator(int i = 0) { return communicator_->local(i); }

  /// Calls `work` for each replica of this process, in its thread, and waits for all. What the first of them threw is thrown
  /// again; the run cannot go on after that.
  void each(const std::function<void(int replica)>& work);

  /// Whether it holds for any process, on all of them.
  bool any(bool here);
  /// What each replica of the run gives, by rank, on all processes; `mine` is of those of this one.
  std::vector<std::vector<std::byte>> gather(std::vector<std::vector<std::byte>> mine);
  void barrier();
  /// By a process that cannot go on: the others must not wait for it.
  void abort() noexcept { communicator_->abort(); }

  void write(std::string_view variable, HostView from);       ///< to all
  void read(std::string_view variable, HostTensor to) const;  ///< of the first

 private:
  class Crew;

  std::unique_ptr<Communicator> communicator_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Crew> crew_;  ///< none for a single replica, which runs in the caller's thread
};

}  // namespace qfw
