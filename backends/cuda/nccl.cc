#include "nccl.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "qfw/error.h"

namespace qfw::cuda {
namespace {

using Result = int;
using Comm = struct OpaqueComm*;
struct UniqueId {
  std::array<char, 128> bytes{};
};
constexpr Result success = 0;
constexpr int float32 = 7;
constexpr int sum = 0, average = 4;

/// The functions of an open libnccl.so.2.
struct Nccl {
  explicit Nccl(const Library& library) : file(library.file()) {
    library.bind(ncclGetUniqueId, "ncclGetUniqueId");
    library.bind(ncclCommInitRank, "ncclCommInitRank");
    library.bind(ncclCommDestroy, "ncclCommDestroy");
    library.bind(ncclGroupStart, "ncclGroupStart");
    library.bind(ncclGroupEnd, "ncclGroupEnd");
    library.bind(ncclAllReduce, "ncclAllReduce");
    library.bind(ncclGetErrorString, "ncclGetErrorString");
  }

  void check(Result result, const char* expression, const std::string& where) const {
    if (result == success) return;
    fail(Error::Category::device, "cuda", fmt::format("{} failed: {}", expression, ncclGetErrorString(result)), where,
         "NCCL_DEBUG=INFO in the environment makes it tell more");
  }

  std::string file;
  Result (*ncclGetUniqueId)(UniqueId* id) = nullptr;
  Result (*ncclCommInitRank)(Comm* comm, int ranks, UniqueId id, int rank) = nullptr;
  Result (*ncclCommDestroy)(Comm comm) = nullptr;
  Result (*ncclGroupStart)() = nullptr;
  Result (*ncclGroupEnd)() = nullptr;
  Result (*ncclAllReduce)(const void* from, void* to, std::size_t count, int type, int how, Comm comm,
                          driver::StreamHandle stream) = nullptr;
  const char* (*ncclGetErrorString)(Result result) = nullptr;
};
#define QFW_NCCL_CALL(nccl, expression, where) (nccl).check((nccl).expression, #expression, where)

class NcclCollective final : public Collective {
 public:
  NcclCollective(const Nccl& nccl, std::shared_ptr<const Connection> connection, Communicator& replicas)
      : nccl_(nccl), connection_(std::move(connection)), replicas_(replicas.size()) {
    UniqueId id;
    if (replicas.rank() == 0) QFW_NCCL_CALL(nccl_, ncclGetUniqueId(&id), connection_->name());
    replicas.broadcast(std::as_writable_bytes(std::span(id.bytes)), 0);
    connection_->use();
    QFW_NCCL_CALL(nccl_, ncclCommInitRank(&comm_, replicas.size(), id, replicas.rank()), connection_->name());
  }
  ~NcclCollective() override {
    if (connection_->try_use()) nccl_.ncclCommDestroy(comm_);
  }

  std::string describe() const override { return fmt::format("NCCL over {} devices", replicas_); }
  void all_reduce(Stream stream, std::span<const Piece> pieces, Across how) override {
    connection_->use();
    QFW_NCCL_CALL(nccl_, ncclGroupStart(), connection_->name());
    for (const Piece& piece : pieces) {
      QFW_NCCL_CALL(nccl_,
                    ncclAllReduce(piece.data, piece.data, piece.count, float32, how == Across::sum ? sum : average, comm_,
                                  connection_->stream(stream)),
                    connection_->name());
    }
    QFW_NCCL_CALL(nccl_, ncclGroupEnd(), connection_->name());
  }

 private:
  Nccl nccl_;
  std::shared_ptr<const Connection> connection_;
  int replicas_;
  Comm comm_ = nullptr;
};

}  // namespace

std::unique_ptr<Collective> make_nccl_collective(const Library& library, std::shared_ptr<const Connection> connection,
                                                 Communicator& replicas) {
  const std::string identity = library ? connection->uuid() : std::string();
  const auto all = replicas.all_gather(std::as_bytes(std::span(identity)));
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].empty() || std::find(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), all[i]) !=
                              all.begin() + static_cast<std::ptrdiff_t>(i))
      return nullptr;
  }
  return std::make_unique<NcclCollective>(Nccl(library), std::move(connection), replicas);
}

}  // namespace qfw::cuda
