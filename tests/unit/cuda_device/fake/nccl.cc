// A libnccl.so.2 that sums nothing. Ranks of one id wait for each other, as they do in NCCL, but not for ever; a rank belongs
// to the context in which it was made.
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <map>
#include <mutex>

#include "control.h"
#include "driver_state.h"

namespace {

fake::Control control;
std::mutex mutex;  // of all that follows
std::condition_variable_any met;

struct Id {
  char bytes[128];
};
struct Comm {
  int rank;
};
int ids = 0;
std::map<std::string, int> ranks_of;  // that came, by id
thread_local int groups = 0;          // that are open

int begin(const char* function) {
  if (!fake::driver_says(QFW_FAKE_CUDA, "fake_has_context")) control.wrong(std::string(function) + " without a context");
  return control.status(function);
}

}  // namespace

extern "C" {

fake::Control* fake_control() { return &control; }

const char* ncclGetErrorString(int) { return "made up by a test"; }
int ncclGetUniqueId(Id* id) {
  const std::lock_guard lock(mutex);
  std::memset(id->bytes, 'a' + ids++, sizeof id->bytes);
  return control.status("ncclGetUniqueId");
}
int ncclCommInitRank(Comm** comm, int ranks, Id id, int rank) {
  std::unique_lock lock(mutex);
  if (const int status = begin("ncclCommInitRank")) return status;
  if (control.init_status != 0) return control.init_status;
  const std::string key(id.bytes, sizeof id.bytes);
  ++ranks_of[key];
  met.notify_all();
  if (!met.wait_for(lock, std::chrono::seconds(10), [&] { return ranks_of[key] >= ranks; })) {
    control.wrong("a rank waits for others in vain");
    return 6;
  }
  *comm = new Comm{rank};
  ++control.live;
  return 0;
}
int ncclCommDestroy(Comm* comm) {
  const std::lock_guard lock(mutex);
  delete comm;
  --control.live;
  return begin("ncclCommDestroy");
}
int ncclGroupStart() {
  ++groups;
  return 0;
}
int ncclGroupEnd() {
  --groups;
  return 0;
}
int ncclAllReduce(const void* from, void* to, std::size_t count, int type, int how, Comm* comm, void* stream) {
  const std::lock_guard lock(mutex);
  if (const int status = begin("ncclAllReduce")) return status;
  if (groups != 1) control.wrong("ncclAllReduce outside of a group");
  if (from != to || stream == nullptr) control.wrong("ncclAllReduce to another place, or in the legacy stream");
  control.log.push_back(std::to_string(comm->rank) + ": " + std::to_string(count) + " of type " + std::to_string(type) +
                        " by " + std::to_string(how) + " at " + std::to_string(reinterpret_cast<std::uintptr_t>(to)));
  return 0;
}

}  // extern "C"
