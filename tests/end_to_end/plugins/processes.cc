#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "qfw/communicator.h"
#include "qfw/error.h"
#include "qfw/plugin.h"

namespace {

using namespace qfw;

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) fail(Error::Category::usage, "processes", std::string(name) + " is not set");
  return value;
}

[[noreturn]] void lost() { fail(Error::Category::device, "processes", "another process of this run could not go on"); }

/// One replica in each of several processes on one machine, which meet at a socket: rank TEST_RANK of TEST_SIZE, the first of
/// which makes the socket TEST_SOCKET. It has what every communicator must, and the interface's own defaults.
class Processes final : public Communicator {
 public:
  struct Options {
    static void declare(Declare<Options>&) {}
  };

  explicit Processes(const Options&) : rank_(std::stoi(variable("TEST_RANK"))), size_(std::stoi(variable("TEST_SIZE"))) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::strncpy(address.sun_path, variable("TEST_SOCKET").c_str(), sizeof address.sun_path - 1);
    const auto* name = reinterpret_cast<const sockaddr*>(&address);
    if (rank_ > 0) {
      for (int tries = 0; tries < 600; ++tries) {
        const int peer = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(peer, name, sizeof address) == 0) {
          peers_.push_back(peer);
          send_all(peer, &rank_, sizeof rank_);
          return;
        }
        close(peer);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
      }
      lost();
    }
    unlink(address.sun_path);
    const int door = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(door, name, sizeof address) != 0 || listen(door, size_) != 0) lost();
    peers_.resize(static_cast<std::size_t>(size_) - 1);
    for (int i = 1; i < size_; ++i) {
      const int peer = accept4(door, nullptr, nullptr, SOCK_CLOEXEC);
      int rank = 0;
      receive_all(peer, &rank, sizeof rank);
      peers_.at(static_cast<std::size_t>(rank) - 1) = peer;
    }
    close(door);
  }
  ~Processes() override {
    for (const int peer : peers_) close(peer);
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  /// In double and in the order of ranks, as `threads` does it.
  void all_reduce(std::span<float> data, Reduction how) override {
    const auto all = exchange(std::as_bytes(data));
    for (std::size_t i = 0; i < data.size(); ++i) {
      double total = 0;
      for (const auto& part : all) {
        float value = 0;
        std::memcpy(&value, part.data() + i * sizeof value, sizeof value);
        total += value;
      }
      if (how == Reduction::mean) total /= static_cast<double>(all.size());
      data[i] = static_cast<float>(total);
    }
  }
  void broadcast(std::span<std::byte> data, int root) override {
    const auto all = exchange(data);
    std::memcpy(data.data(), all[static_cast<std::size_t>(root)].data(), data.size());
  }
  void barrier() override { exchange({}); }
  void abort() noexcept override {
    for (const int peer : peers_) shutdown(peer, SHUT_RDWR);
  }

 private:
  /// Everyone's bytes, of one length, on all: through the first.
  std::vector<std::vector<std::byte>> exchange(std::span<const std::byte> mine) {
    std::vector<std::vector<std::byte>> all(static_cast<std::size_t>(size_), {mine.begin(), mine.end()});
    for (auto& part : all) part.resize(mine.size() + 1);  // so that there is something to wait for
    if (rank_ > 0) {
      send_all(peers_[0], all[0].data(), all[0].size());
      for (auto& part : all) receive_all(peers_[0], part.data(), part.size());
    } else {
      for (std::size_t i = 1; i < all.size(); ++i) receive_all(peers_[i - 1], all[i].data(), all[i].size());
      for (const int peer : peers_) {
        for (const auto& part : all) send_all(peer, part.data(), part.size());
      }
    }
    return all;
  }
  static void send_all(int to, const void* bytes, std::size_t count) {
    for (const auto* next = static_cast<const char*>(bytes); count > 0;) {
      const ssize_t sent = send(to, next, count, MSG_NOSIGNAL);
      if (sent < 0 && errno == EINTR) continue;
      if (sent <= 0) lost();
      next += sent;
      count -= static_cast<std::size_t>(sent);
    }
  }
  static void receive_all(int from, void* bytes, std::size_t count) {
    for (auto* next = static_cast<char*>(bytes); count > 0;) {
      const ssize_t got = recv(from, next, count, 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) lost();
      next += got;
      count -= static_cast<std::size_t>(got);
    }
  }

  int rank_ = 0, size_ = 1;
  std::vector<int> peers_;  ///< of the first: by rank; of the others: the first
};

}  // namespace

QFW_PLUGIN("communicator:processes", .name = "processes", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "processes that meet at a socket, for tests")
(Registry& registry) { registry.add<Processes>("processes", "one replica in each of several processes"); }
