#include <fmt/format.h>

#include <memory>
#include <vector>

#include "group.h"
#include "qfw/communicator.h"
#include "qfw/error.h"
#include "qfw/plugin.h"

namespace qfw::threads {

/// Replicas as threads of one process, each with its own backend and variables: data parallel training as on several
/// machines, on one.
class Threads final : public Communicator {
 public:
  struct Options {
    int replicas = 2;
    static void declare(Declare<Options>& option) {
      option("replicas", &Options::replicas, "threads that train side by side, each on its share of train.batch_size",
             {.min = 1, .max = 256});
    }
  };

  explicit Threads(const Options& options) : group_(std::make_shared<Group>(options.replicas)) {
    for (int rank = 1; rank < options.replicas; ++rank) others_.push_back(std::make_unique<Threads>(group_, rank));
  }
  Threads(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  void all_reduce(std::span<float> data, Reduction how) override { group_->all_reduce(rank_, data, how); }
  void broadcast(std::span<std::byte> data, int root) override {
    if (root < 0 || root >= size()) {
      fail(Error::Category::internal, "threads", fmt::format("broadcast from replica {} of {}", root, size()));
    }
    group_->broadcast(rank_, data, root);
  }
  void barrier() override { group_->barrier(); }

  int local_size() const override { return static_cast<int>(others_.size()) + 1; }
  Communicator& local(int i) override {
    if (i < 0 || i >= local_size()) {
      fail(Error::Category::internal, "threads", fmt::format("replica {} of {}", i, local_size()));
    }
    return i == 0 ? *this : *others_[static_cast<std::size_t>(i - 1)];
  }
  void abort() noexcept override { group_->abort(); }

 private:
  std::shared_ptr<Group> group_;
  int rank_ = 0;
  std::vector<std::unique_ptr<Threads>> others_;  ///< of the first replica
};

}  // namespace qfw::threads

QFW_PLUGIN("communicator:threads", .name = "threads", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "replicas in one process")
(qfw::Registry& registry) {
  registry.add<qfw::threads::Threads>("threads", "several replicas, each a thread with its own variables");
}
