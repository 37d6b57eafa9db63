#include "cuda_device.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "code.h"
#include "cudnn_product.h"
#include "nccl.h"
#include "qfw/error.h"

namespace qfw::cuda {
namespace {

using namespace driver;

constexpr unsigned shared_without_asking = 48 << 10;
constexpr std::array streams{Stream::compute, Stream::copy, Stream::reduce};

Pointer pointer(const std::byte* address) { return reinterpret_cast<Pointer>(address); }

std::string in_mib(std::size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

class CudaFunction final : public Function {
 public:
  CudaFunction(std::shared_ptr<const Connection> connection, const std::string& name, const std::string& code)
      : name_(name), connection_(std::move(connection)) {
    const Driver& driver = connection_->driver();
    const std::string where = fmt::format("{} on {}", name, connection_->name());
    Module module = nullptr;
    QFW_CUDA_CALL(driver, cuModuleLoadData(&module, code.data()), where);
    module_ = OwnedModule(connection_, module);
    QFW_CUDA_CALL(driver, cuModuleGetFunction(&handle_, module, name.c_str()), where);
    // Otherwise it would be loaded by its first launch, which may be one that is recorded.
    if (driver.cuFuncLoad != nullptr) QFW_CUDA_CALL(driver, cuFuncLoad(handle_), where);
    QFW_CUDA_CALL(driver, cuFuncGetAttribute(&registers_, function_registers, handle_), where);
    QFW_CUDA_CALL(driver, cuFuncGetAttribute(&local_bytes_, function_local_bytes, handle_), where);
    QFW_CUDA_CALL(driver, cuFuncGetAttribute(&shared_bytes_, function_shared_bytes, handle_), where);
  }

  std::string describe() const override {
    return fmt::format("{} registers, {} bytes of local memory (spills, arrays), {} bytes of shared memory", registers_,
                       local_bytes_, shared_bytes_);
  }

  const std::string& name() const { return name_; }
  FunctionHandle handle() const { return handle_; }

  /// More shared memory than every kernel has must be asked for once.
  Result allow_shared(unsigned bytes) const {
    if (bytes + shared_bytes_ <= shared_without_asking || bytes <= allowed_) return success;
    const Result result = connection_->driver().cuFuncSetAttribute(handle_, function_dynamic_shared, static_cast<int>(bytes));
    if (result == success) allowed_ = bytes;
    return result;
  }

 private:
  std::string name_;
  std::shared_ptr<const Connection> connection_;
  OwnedModule module_;
  FunctionHandle handle_ = nullptr;
  int registers_ = 0, local_bytes_ = 0, shared_bytes_ = 0;
  mutable unsigned allowed_ = 0;
};

class CudaEvent final : public Event {
 public:
  explicit CudaEvent(std::shared_ptr<const Connection> connection) {
    EventHandle event = nullptr;
    QFW_CUDA_CALL(connection->driver(), cuEventCreate(&event, event_default), connection->name());
    event_ = OwnedEvent(std::move(connection), event);
  }

  EventHandle handle() const { return event_.get(); }

 private:
  OwnedEvent event_;
};

EventHandle handle_of(const Event& event) { return dynamic_cast<const CudaEvent&>(event).handle(); }

class CudaRecording final : public Recording {
 public:
  CudaRecording(std::shared_ptr<const Connection> connection, Graph graph) : connection_(std::move(connection)) {
    const Driver& driver = connection_->driver();
    GraphExec exec = nullptr;
    QFW_CUDA_CALL(driver, cuGraphInstantiateWithFlags(&exec, graph, 0), connection_->name());
    exec_ = OwnedGraphExec(connection_, exec);
    QFW_CUDA_CALL(driver, cuGraphUpload(exec, connection_->stream(Stream::compute)), connection_->name());
  }

  void replay() override {
    connection_->use();
    QFW_CUDA_CALL(connection_->driver(), cuGraphLaunch(exec_.get(), connection_->stream(Stream::compute)), connection_->name());
  }

 private:
  std::shared_ptr<const Connection> connection_;
  OwnedGraphExec exec_;
};

/// Work that is recorded from here to end(). Given up unless it came to that.
class Capture {
 public:
  explicit Capture(std::shared_ptr<const Connection> connection) : connection_(std::move(connection)) {
    QFW_CUDA_CALL(connection_->driver(), cuStreamBeginCapture_v2(compute(), capture_thread_local), connection_->name());
    open_ = true;
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  ~Capture() {
    Graph graph = nullptr;
    if (open_ && connection_->driver().cuStreamEndCapture(compute(), &graph) == success && graph != nullptr) {
      connection_->driver().cuGraphDestroy(graph);
    }
  }

  OwnedGraph end() {
    open_ = false;
    Graph graph = nullptr;
    QFW_CUDA_CALL(connection_->driver(), cuStreamEndCapture(compute(), &graph), connection_->name());
    return {connection_, graph};
  }

 private:
  StreamHandle compute() const { return connection_->stream(Stream::compute); }

  std::shared_ptr<const Connection> connection_;
  bool open_ = false;
};

Device::Properties properties_of(const Connection& connection, const std::string& versions) {
  Device::Properties properties;
  properties.name = connection.name();
  properties.versions = versions;
  properties.architecture = 10 * connection.attribute(attribute_major) + connection.attribute(attribute_minor);
  properties.multiprocessors = connection.attribute(attribute_multiprocessors);
  properties.shared_bytes = connection.attribute(attribute_shared_per_block);
  properties.memory_bytes = connection.memory_bytes();
  properties.bf16 = properties.architecture >= 80;
  properties.clock = 1e3 * connection.attribute(attribute_clock);
  // Two transfers of the bus's width a clock, which is told in kHz.
  properties.memory_bandwidth =
      2e3 * connection.attribute(attribute_memory_clock) * connection.attribute(attribute_memory_width) / 8;
  return properties;
}

}  // namespace

CudaDevice::CudaDevice(const Options& options) : CudaDevice(options, Surroundings::real(options.libraries)) {}

CudaDevice::CudaDevice(const Options& options, const Surroundings& surroundings)
    : libraries_(Libraries::open(surroundings)),
      connection_(std::make_shared<const Connection>(libraries_.driver, options.index)),
      properties_(properties_of(*connection_, libraries_.versions)),
      compiler_(libraries_.compiler),
      cache_(std::make_shared<CodeCache>(CodeCache::Options{.folder = options.code_folder, .say = options.say})),
      target_(compiler_.target(properties_.architecture)),
      tf32_(options.tf32),
      bf16_weight_gradients_(options.bf16_weight_gradients) {}

CudaDevice::~CudaDevice() {
  connection_->try_use();  // plans may have code of theirs on the device
}

Address CudaDevice::allocate(std::size_t bytes) {
  connection_->use();
  const std::size_t whole = (std::max<std::size_t>(bytes, 1) + 255) / 256 * 256;
  Pointer address = 0;
  if (const Result result = connection_->driver().cuMemAlloc_v2(&address, whole); result != success) {
    std::size_t free = 0, total = 0;
    const bool known = connection_->driver().cuMemGetInfo_v2(&free, &total) == success;
    connection_->driver().check(
        result, fmt::format("cuMemAlloc of {}", in_mib(whole)),
        known ? fmt::format("{}: {} of {} are free", connection_->name(), in_mib(free), in_mib(total)) : connection_->name());
  }
  return reinterpret_cast<Address>(address);
}

void CudaDevice::free(Address address) noexcept {
  if (address == nullptr) return;
  connection_->try_use();
  connection_->driver().cuMemFree_v2(pointer(address));
}

std::byte* CudaDevice::allocate_host(std::size_t bytes) {
  connection_->use();
  void* memory = nullptr;
  QFW_CUDA_CALL(connection_->driver(), cuMemAllocHost_v2(&memory, std::max<std::size_t>(bytes, 1)),
                fmt::format("{} of the host's memory, to be locked for {}", in_mib(bytes), connection_->name()));
  return static_cast<std::byte*>(memory);
}

void CudaDevice::free_host(std::byte* memory) noexcept {
  if (memory == nullptr) return;
  connection_->try_use();
  connection_->driver().cuMemFreeHost(memory);
}

void CudaDevice::copy_in(Stream stream, Address to, const std::byte* from, std::size_t bytes) {
  if (bytes == 0) return;
  connection_->use();
  QFW_CUDA_CALL(connection_->driver(), cuMemcpyHtoDAsync_v2(pointer(to), from, bytes, connection_->stream(stream)),
                connection_->name());
}

void CudaDevice::copy_out(Stream stream, std::byte* to, const std::byte* from, std::size_t bytes) {
  if (bytes == 0) return;
  connection_->use();
  QFW_CUDA_CALL(connection_->driver(), cuMemcpyDtoHAsync_v2(to, pointer(from), bytes, connection_->stream(stream)),
                connection_->name());
}

void CudaDevice::copy(Stream stream, Address to, const std::byte* from, std::size_t bytes) {
  if (bytes == 0) return;
  connection_->use();
  QFW_CUDA_CALL(connection_->driver(), cuMemcpyDtoDAsync_v2(pointer(to), pointer(from), bytes, connection_->stream(stream)),
                connection_->name());
}

std::vector<std::shared_ptr<Function>> CudaDevice::load(std::span<const KernelSource> sources) {
  connection_->use();
  std::vector<std::shared_ptr<Function>> functions(sources.size());
  std::vector<std::size_t> missing;
  std::vector<KernelSource> texts;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    functions[i] = functions_[sources[i].text].lock();
    const auto same = [&](const KernelSource& other) { return other.text == sources[i].text; };
    if (functions[i] == nullptr && std::ranges::none_of(texts, same)) {
      missing.push_back(i);
      texts.push_back(sources[i]);
    }
  }
  const std::vector<std::string> code = machine_code(compiler_, *cache_, device_headers(), texts, target_);
  for (std::size_t m = 0; m < missing.size(); ++m) {
    functions[missing[m]] = std::make_shared<CudaFunction>(connection_, texts[m].name, code[m]);
    functions_[texts[m].text] = functions[missing[m]];
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (functions[i] == nullptr) functions[i] = functions_[sources[i].text].lock();
  }
  return functions;
}

void CudaDevice::launch(Stream stream, const Function& function, const LaunchShape& shape, std::span<void* const> arguments) {
  connection_->use();
  const auto& kernel = dynamic_cast<const CudaFunction&>(function);
  const std::array<unsigned, 3>&grid = shape.grid, &block = shape.block;
  const Driver& driver = connection_->driver();
  const auto check = [&](Result result, const char* call) {
    if (result == success) return;  // launches are many: nothing is formatted for them
    driver.check(result, call,
                 fmt::format("{}: {} x {} x {} blocks of {} x {} x {} threads, {} bytes of shared memory of {} at most, on {}",
                             kernel.name(), grid[0], grid[1], grid[2], block[0], block[1], block[2], shape.shared_bytes,
                             properties_.shared_bytes, connection_->name()));
  };
  check(kernel.allow_shared(shape.shared_bytes), "cuFuncSetAttribute");
  check(driver.cuLaunchKernel(kernel.handle(), grid[0], grid[1], grid[2], block[0], block[1], block[2], shape.shared_bytes,
                              connection_->stream(stream), const_cast<void**>(arguments.data()), nullptr),
        "cuLaunchKernel");
}

std::unique_ptr<Event> CudaDevice::make_event() {
  connection_->use();
  return std::make_unique<CudaEvent>(connection_);
}

void CudaDevice::record(Stream stream, Event& event) {
  connection_->use();
  QFW_CUDA_CALL(connection_->driver(), cuEventRecord(handle_of(event), connection_->stream(stream)), connection_->name());
}

void CudaDevice::wait(Stream stream, const Event& event) {
  connection_->use();
  QFW_CUDA_CALL(connection_->driver(), cuStreamWaitEvent(connection_->stream(stream), handle_of(event), 0),
                connection_->name());
}

double CudaDevice::seconds(const Event& from, const Event& to) {
  connection_->use();
  float milliseconds = 0;
  QFW_CUDA_CALL(connection_->driver(), cuEventElapsedTime(&milliseconds, handle_of(from), handle_of(to)), connection_->name());
  return milliseconds * 1e-3;
}

void CudaDevice::synchronize(Stream stream) {
  connection_->use();
  QFW_CUDA_CALL(connection_->driver(), cuStreamSynchronize(connection_->stream(stream)), connection_->name());
}

std::unique_ptr<Recording> CudaDevice::record_all(const std::function<void()>& enqueue) {
  connection_->use();
  CudaEvent begin(connection_);
  std::array<std::unique_ptr<CudaEvent>, streams.size()> ends;
  for (auto& end : ends) end = std::make_unique<CudaEvent>(connection_);

  Capture capture(connection_);
  const auto others = std::span(streams).subspan(1);
  record(Stream::compute, begin);
  for (const Stream other : others) wait(other, begin);
  enqueue();
  for (const Stream other : others) {
    CudaEvent& end = *ends[static_cast<std::size_t>(other)];
    record(other, end);
    wait(Stream::compute, end);
  }
  const OwnedGraph graph = capture.end();
  return std::make_unique<CudaRecording>(connection_, graph.get());
}

std::unique_ptr<Collective> CudaDevice::make_collective(Communicator& replicas) {
  return make_nccl_collective(libraries_.nccl, connection_, replicas);
}

std::unique_ptr<FloatProduct> CudaDevice::make_product(const ProductShape& shape) {
  connection_->use();
  if (plans_ == nullptr) {
    cudnn_ = std::make_shared<CudnnHandle>(libraries_.cudnn, connection_);
    plans_ = std::make_unique<CudnnPlans>(cudnn_->library(),
                                          CudnnPlans::Target{.handle = cudnn_->get(),
                                                             .name = connection_->kind(),
                                                             .architecture = properties_.architecture,
                                                             .tf32 = tf32_,
                                                             .bf16_weight_gradients = bf16_weight_gradients_},
                                          cache_);
  }
  return std::make_unique<CudnnProduct>(*this, connection_, cudnn_, plans_->find(shape), shape);
}

}  // namespace qfw::cuda
