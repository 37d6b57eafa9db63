#include <fmt/format.h>

#include <cmath>

#include "plugin/guard.h"
#include "qfw/backend.h"
#include "qfw/communicator.h"
#include "qfw/error.h"

// Forwarders of the kinds that run the computation; see guard.h.
namespace qfw {

namespace {

auto variable(std::string_view name) {
  return [name] { return fmt::format("variable {}", name); };
}

class GuardedExecutable final : public Guard<Executable> {
 public:
  GuardedExecutable(PluginNamePtr plugin, std::unique_ptr<Executable> inner, std::size_t nodes)
      : Guard(std::move(plugin), std::move(inner)), nodes_(nodes) {}
  void run(Step step, std::span<const HostView> feeds, std::span<const HostTensor> fetches) override {
    call(
        "run()", [&] { return fmt::format("step {}", step.index); }, [&] { inner().run(step, feeds, fetches); });
  }
  void prefetch(std::span<const HostView> feeds) override {
    call("prefetch()", [&] { inner().prefetch(feeds); });
  }
  void profile(bool on) override {
    call("profile()", [&] { inner().profile(on); });
  }
  std::vector<Task> tasks() const override {
    auto tasks = call("tasks()", [&] { return inner().tasks(); });
    for (const Task& task : tasks) {
      for (const int node : task.nodes) check(node);
    }
    return tasks;
  }
  std::span<const Interval> intervals() const override {
    return call("intervals()", [&] { return inner().intervals(); });
  }
  std::int64_t arena_bytes() const override {
    return call("arena_bytes()", [&] { return inner().arena_bytes(); });
  }
  std::vector<Held> held() const override {
    auto held = call("held()", [&] { return inner().held(); });
    for (const Held& tensor : held) check(tensor.use.node);
    return held;
  }

 private:
  void check(int node) const {
    if (node >= 0 && static_cast<std::size_t>(node) < nodes_) return;
    fail(Error::Category::plugin, "backend",
         fmt::format("{} says that it computes node {} of {}", plugin()->name, node, nodes_), plugin()->file);
  }

  std::size_t nodes_;  ///< of the graph
};

class GuardedBackend final : public Guard<Backend> {
 public:
  using Guard::Guard;
  std::string describe() const override {
    return call("describe()", [&] { return inner().describe(); });
  }
  int threads() const override {
    return call("threads()", [&] { return inner().threads(); });
  }
  Peak peak() const override {
    const Peak peak = call("peak()", [&] { return inner().peak(); });
    for (const double each : {peak.f32, peak.bf16, peak.integer}) {
      if (std::isfinite(each) && each >= 0) continue;
      fail(Error::Category::plugin, "backend",
           fmt::format("{} says that its peak is {} multiplications a second", plugin()->name, each), plugin()->file,
           "give what the device does at best, or 0 where that is not known");
    }
    return peak;
  }
  double bandwidth() const override {
    const double bandwidth = call("bandwidth()", [&] { return inner().bandwidth(); });
    if (std::isfinite(bandwidth) && bandwidth >= 0) return bandwidth;
    fail(Error::Category::plugin, "backend",
         fmt::format("{} says that its memory gives {} bytes a second", plugin()->name, bandwidth), plugin()->file,
         "give what the device does at best, or 0 where that is not known");
  }
  std::vector<std::string> notes(const Graph& training) const override {
    return call("notes()", [&] { return inner().notes(training); });
  }
  Support supports(const Graph& graph, const Node& node) const override {
    return call(
        "supports()", [&] { return "layer " + node.path; }, [&] { return inner().supports(graph, node); });
  }
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override {
    auto compiled = call("compile()", [&] { return inner().compile(graph, replicas); });
    if (compiled == nullptr) fail(Error::Category::plugin, "backend", plugin()->name + " compiled to nothing", plugin()->file);
    return std::make_unique<GuardedExecutable>(plugin(), std::move(compiled), graph.nodes.size());
  }
  void read(std::string_view name, HostTensor to) const override {
    call("read()", variable(name), [&] { inner().read(name, to); });
  }
  void write(std::string_view name, HostView from) override {
    call("write()", variable(name), [&] { inner().write(name, from); });
  }
};

/// One end; those of the other replicas of the process belong to the plugin's first.
class GuardedEnd : public Communicator {
 protected:
  template <class Work>
  decltype(auto) call(const char* method, const Work& work) const {
    return called(
        *plugin_, method, [] { return std::string(); }, work);
  }

 public:
  GuardedEnd(PluginNamePtr plugin, Communicator& inner) : plugin_(std::move(plugin)), inner_(inner) {}

  int rank() const override {
    return call("rank()", [&] { return inner_.rank(); });
  }
  int size() const override {
    return call("size()", [&] { return inner_.size(); });
  }
  void all_reduce(std::span<float> data, Reduction how) override {
    call("all_reduce()", [&] { inner_.all_reduce(data, how); });
  }
  void broadcast(std::span<std::byte> data, int root) override {
    call("broadcast()", [&] { inner_.broadcast(data, root); });
  }
  void barrier() override {
    call("barrier()", [&] { inner_.barrier(); });
  }
  Ticket start(HostTensor data, Reduction how) override {
    return call("start()", [&] { return inner_.start(data, how); });
  }
  void wait(Ticket ticket) override {
    call("wait()", [&] { inner_.wait(ticket); });
  }
  std::vector<std::vector<std::byte>> all_gather(std::span<const std::byte> mine) override {
    auto all = call("all_gather()", [&] { return inner_.all_gather(mine); });
    if (static_cast<int>(all.size()) != size()) {
      fail(Error::Category::plugin, "communicator",
           fmt::format("{} gathers from {} replicas of {}", plugin_->name, all.size(), size()), plugin_->file);
    }
    return all;
  }
  int local_size() const override {
    return call("local_size()", [&] { return inner_.local_size(); });
  }
  void abort() noexcept override {
    const PluginCall call(*plugin_);
    inner_.abort();
  }

 private:
  PluginNamePtr plugin_;
  Communicator& inner_;
};

class GuardedCommunicator final : public GuardedEnd {
 public:
  GuardedCommunicator(const PluginNamePtr& plugin, std::unique_ptr<Communicator> inner)
      : GuardedEnd(plugin, *inner), plugin_(plugin), inner_(std::move(inner)) {
    const int here = local_size(), first = rank(), all = size();
    if (here < 1 || first < 0 || first + here > all) {
      fail(Error::Category::plugin, "communicator",
           fmt::format("{} says that it is replica {} of {}, with {} in this process", plugin->name, first, all, here),
           plugin->file);
    }
    for (int i = 1; i < here; ++i) {
      others_.push_back(
          std::make_unique<GuardedEnd>(plugin, call("local()", [&]() -> Communicator& { return inner_->local(i); })));
    }
  }
  ~GuardedCommunicator() override {
    const PluginCall call(*plugin_);
    inner_.reset();
  }

  Communicator& local(int i) override {
    if (i == 0) return *this;
    return i > 0 && i <= static_cast<int>(others_.size()) ? *others_[static_cast<std::size_t>(i) - 1] : inner_->local(i);
  }

 private:
  PluginNamePtr plugin_;
  std::unique_ptr<Communicator> inner_;
  std::vector<std::unique_ptr<Communicator>> others_;
};

}  // namespace

std::unique_ptr<Backend> guarded(PluginNamePtr plugin, std::unique_ptr<Backend> inner) {
  return std::make_unique<GuardedBackend>(std::move(plugin), std::move(inner));
}
std::unique_ptr<Communicator> guarded(PluginNamePtr plugin, std::unique_ptr<Communicator> inner) {
  return std::make_unique<GuardedCommunicator>(plugin, std::move(inner));
}

}  // namespace qfw
