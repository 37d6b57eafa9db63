#include <fmt/format.h>

#include <map>
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
      option("replicas", &Options::replicas,
             "number of replicas that train side by side, a thread each, on equal shares of train.batch_size",
             {.min = 1, .max = 256});
    }
  };

  explicit Threads(const Options& options) : group_(std::make_shared<Group>(options.replicas)) {
    for (int rank = 1; rank < options.replicas; ++rank) others_.push_back(std::make_unique<Threads>(group_, rank));
  }
  Threads(std::shared_ptr<Group> group, int rank) : group_(std::move(group)), rank_(rank) {}

  int rank() const override { return rank_; }
  int size() const override { return group_->size(); }
  void all_reduce(std::span<float> data, Reduction how) override {
    group_->wait(*join(reduction(DType::f32, how, data.size_bytes()), std::as_writable_bytes(data)));
  }
  void broadcast(std::span<std::byte> data, int root) override {
    if (root < 0 || root >= size()) {
      fail(Error::Category::internal, "threads", fmt::format("broadcast from replica {} of {}", root, size()));
    }
    group_->wait(*join({.kind = Call::Kind::broadcast, .root = root, .bytes = data.size()}, data));
  }
  void barrier() override { group_->wait(*join({.kind = Call::Kind::barrier}, {})); }

  /// The sums are formed by the group's thread while the caller goes on, and by replicas that wait for them.
  Ticket start(HostTensor data, Reduction how) override {
    const DType dtype = data.type.dtype;
    if (dtype != DType::f32 && dtype != DType::bf16) {
      fail(Error::Category::internal, "threads", fmt::format("it reduces f32 and bf16, this is {}", data.type.str()));
    }
    const auto exchange = join(reduction(dtype, how, data.bytes.size()), data.bytes);
    group_->in_background(exchange);
    const Ticket ticket{++started_};
    in_flight_.emplace(ticket.number, exchange);
    return ticket;
  }
  void wait(Ticket ticket) override {
    const auto found = in_flight_.extract(ticket.number);
    if (!found) {
      fail(Error::Category::internal, "threads",
           fmt::format("replica {} waits for reduction {}, which it did not start or has waited for", rank_, ticket.number));
    }
    group_->wait(*found.mapped());
  }

  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override {
    // Nobody writes to what is gathered; the parts of other exchanges are written to.
    const auto exchange = join({.kind = Call::Kind::gather}, {const_cast<std::byte*>(mine.data()), mine.size()});
    group_->wait(*exchange);
    return exchange->gathered;
  }

  int local_size() const override { return static_cast<int>(others_.size()) + 1; }
  Communicator& local(int i) override {
    if (i < 0 || i >= local_size()) {
      fail(Error::Category::internal, "threads", fmt::format("replica {} of {}", i, local_size()));
    }
    return i == 0 ? *this : *others_[static_cast<std::size_t>(i - 1)];
  }
  void abort() noexcept override { group_->abort(); }

 private:
  static Call reduction(DType dtype, Reduction how, std::size_t bytes) {
    return {.kind = Call::Kind::reduce, .dtype = dtype, .how = how, .bytes = bytes};
  }
  std::shared_ptr<Exchange> join(const Call& call, std::span<std::byte> data) { return group_->join(rank_, call, data); }

  std::shared_ptr<Group> group_;
  int rank_ = 0;
  std::uint64_t started_ = 0;
  std::map<std::uint64_t, std::shared_ptr<Exchange>> in_flight_;
  std::vector<std::unique_ptr<Threads>> others_;  ///< of the first replica
};

}  // namespace qfw::threads

QFW_PLUGIN("communicator:threads", .name = "threads", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "replicas in one process")
(qfw::Registry& registry) {
  registry.add<qfw::threads::Threads>("threads", "several replicas, each a thread with its own variables");
}
