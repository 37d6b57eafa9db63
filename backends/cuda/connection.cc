#include "connection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "qfw/error.h"

namespace qfw::cuda {
namespace {

using namespace driver;

std::string kind_of(const Driver& driver, int index) {
  const std::string where = fmt::format("device {}", index);
  Ordinal device = 0;
  QFW_CUDA_CALL(driver, cuDeviceGet(&device, index), where);
  std::array<char, 256> name{};
  QFW_CUDA_CALL(driver, cuDeviceGetName(name.data(), static_cast<int>(name.size()), device), where);
  return name.data();
}

std::string numbered(const std::string& kind, int index) { return fmt::format("{} ({})", kind, index); }

}  // namespace

Connection::Connection(const Library& library, int index) : driver_(library) {
  QFW_CUDA_CALL(driver_, cuInit(0), library.file());
  int count = 0;
  QFW_CUDA_CALL(driver_, cuDeviceGetCount(&count), library.file());
  if (index < 0 || index >= count) {
    std::vector<std::string> names;
    for (int i = 0; i < count; ++i) names.push_back(numbered(kind_of(driver_, i), i));
    fail(Error::Category::usage, "cuda", fmt::format("there is no device {}", index),
         names.empty() ? "the driver has none" : fmt::format("there are: {}", fmt::join(names, ", ")),
         "choose one with backend.device; CUDA_VISIBLE_DEVICES may hide some");
  }
  kind_ = kind_of(driver_, index);
  name_ = numbered(kind_, index);
  QFW_CUDA_CALL(driver_, cuDeviceGet(&device_, index), name_);
  // Threads that wait for the device sleep. Refused where somebody else in the process has begun to use it: then as they chose.
  driver_.cuDevicePrimaryCtxSetFlags_v2(device_, schedule_blocking);
  QFW_CUDA_CALL(driver_, cuDevicePrimaryCtxRetain(&context_, device_), name_);
  try {
    use();
    for (StreamHandle& stream : streams_) QFW_CUDA_CALL(driver_, cuStreamCreate(&stream, stream_non_blocking), name_);
  } catch (...) {
    close();
    throw;
  }
}

Connection::~Connection() { close(); }

void Connection::close() noexcept {
  try_use();
  for (const StreamHandle stream : streams_) {
    if (stream != nullptr) driver_.cuStreamDestroy_v2(stream);
  }
  driver_.cuCtxSetCurrent(nullptr);
  driver_.cuDevicePrimaryCtxRelease_v2(device_);
}

int Connection::attribute(int which) const {
  int value = 0;
  QFW_CUDA_CALL(driver_, cuDeviceGetAttribute(&value, which, device_), name_);
  return value;
}

std::string Connection::uuid() const {
  std::string uuid(16, '\0');
  QFW_CUDA_CALL(driver_, cuDeviceGetUuid_v2(uuid.data(), device_), name_);
  return uuid;
}

std::size_t Connection::memory_bytes() const {
  std::size_t bytes = 0;
  QFW_CUDA_CALL(driver_, cuDeviceTotalMem_v2(&bytes, device_), name_);
  return bytes;
}

}  // namespace qfw::cuda
