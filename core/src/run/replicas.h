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
class Replicas {
 public:
  explicit Replicas(const Recipe& recipe);
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  ~Replicas();

  int count() const { return static_cast<int>(backends_.size()); }  ///< in this process
  int size() const { return communicator_->size(); }                ///< of the whole run
  int rank(int i) const { return communicator_->rank() + i; }
  Backend& backend(int i = 0) { return *backends_[static_cast<std::size_t>(i)]; }
  const Backend& backend(int i = 0) const { return *backends_[static_cast<std::size_t>(i)]; }
  Communicator& communicator(int i = 0) { return communicator_->local(i); }

  /// Calls `work` for each replica of this process, in its thread, and waits for all. What the first of them threw is thrown
  /// again; the run cannot go on after that.
  void each(const std::function<void(int replica)>& work);

  void write(std::string_view variable, HostView from);       ///< to all
  void read(std::string_view variable, HostTensor to) const;  ///< of the first

 private:
  class Crew;

  std::unique_ptr<Communicator> communicator_;
  std::vector<std::unique_ptr<Backend>> backends_;
  std::unique_ptr<Crew> crew_;  ///< none for a single replica, which runs in the caller's thread
};

}  // namespace qfw
