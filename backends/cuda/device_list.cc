#include "device_list.h"

#include <fmt/format.h>

#include <charconv>
#include <vector>

#include "qfw/error.h"

namespace qfw::cuda {

int device_of(std::string_view list, LocalReplica replica) {
  std::vector<int> devices;
  const char *at = list.data(), *const end = at + list.size();
  for (bool more = true; more; ++at) {
    int number = -1;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 0 || (next != end && *next != ',')) {
      fail(Error::Category::usage, "cuda", fmt::format("backend.device is '{}'", list), {},
           "give the number of a GPU, or as many as there are replicas, as 0,1,2,3");
    }
    devices.push_back(number);
    at = next;
    more = at != end;
  }
  if (devices.size() != static_cast<std::size_t>(replica.count)) {
    fail(Error::Category::usage, "cuda",
         fmt::format("backend.device names {} ('{}') and this process has {}",
                     devices.size() == 1 ? "one GPU" : fmt::format("{} GPUs", devices.size()), list,
                     replica.count == 1 ? "one replica" : fmt::format("{} replicas", replica.count)),
         {}, "name one for each: communicator.name = threads and communicator.replicas = N make N replicas");
  }
  return devices[static_cast<std::size_t>(replica.index)];
}

}  // namespace qfw::cuda
