#include "emulated_device.h"

#include <fmt/format.h>

#include <cstring>
#include <map>
#include <numeric>
#include <set>
#include <stdexcept>

#include "cuda/code.h"
#include "cuda/launch.h"
#include "guarded_memory.h"
#include "host_code.h"
#include "qfw/denormals.h"
#include "qfw/error.h"
#include "qfw/op_definition.h"
#include "streams.h"

namespace emulated {
namespace {

namespace cuda = qfw::cuda;
using cuda::Address;
using cuda::Stream;

class EmulatedFunction final : public cuda::Function {
 public:
  EmulatedFunction(HostCode code, const std::string& name)
      : code_(code), kernel_(code.kernel(name)), parameters_(code.parameters(name)), name_(name) {}

  std::string describe() const override { return "compiled by g++"; }
  const std::string& name() const { return name_; }
  std::span<const std::size_t> parameters() const { return parameters_; }  ///< sizes
  void run(const cuda::LaunchShape& shape, void** arguments, Schedule schedule) const {
    run_grid(code_, kernel_, shape, arguments, schedule);
  }

 private:
  HostCode code_;
  HostCode::Kernel kernel_;
  std::vector<std::size_t> parameters_;
  std::string name_;
};

struct EmulatedEvent final : cuda::Event {
  std::shared_ptr<Streams::Moment> moment = std::make_shared<Streams::Moment>();
};

class EmulatedRecording final : public cuda::Recording {
 public:
  EmulatedRecording(Streams& streams, Streams::Operations operations) : streams_(streams), operations_(std::move(operations)) {}
  void replay() override { streams_.replay(operations_); }

 private:
  Streams& streams_;
  Streams::Operations operations_;
};

/// A product as the node of a graph, evaluated by the op's reference kernel.
class ReferenceProduct final : public cuda::FloatProduct {
 public:
  ReferenceProduct(const cuda::ProductShape& shape, Streams& streams) : streams_(streams) {
    using Kind = cuda::ProductShape::Kind;
    using qfw::Op;
    const bool forward = shape.kind == Kind::forward, of_src = shape.kind == Kind::grad_src;
    node_.op = forward ? Op::conv2d : of_src ? Op::conv2d_grad_src : Op::conv2d_grad_weights;
    a_ = {of_src ? shape.dst : shape.src, shape.in};
    b_ = {shape.kind == Kind::grad_weights ? shape.dst : shape.weights, shape.in};
    node_.outputs = {{forward ? shape.dst : of_src ? shape.src : shape.weights, shape.out}};
    if (forward) {
      node_.attributes = shape.conv;
    } else {
      node_.attributes = qfw::Conv2dGrad{shape.conv, node_.outputs[0].shape};
    }
    workspace_ = static_cast<std::size_t>(shape.src.channels()) * 4;
  }

  std::size_t workspace_bytes() const override { return workspace_; }
  std::string describe() const override { return "reference"; }
  void run(Stream stream, const std::byte* a, const std::byte* b, Address result, Address workspace) override {
    streams_.add(stream, [this, a, b, result, workspace] {
      const qfw::FlushDenormals flush;
      std::memset(workspace, 0x5a, workspace_);
      const qfw::HostView inputs[] = {{a_, {a, a_.bytes()}}, {b_, {b, b_.bytes()}}};
      const qfw::HostTensor output{node_.outputs[0], {result, node_.outputs[0].bytes()}};
      qfw::definition(node_.op).evaluate({node_, inputs, {&output, 1}});
    });
  }

 private:
  Streams& streams_;
  qfw::Node node_;
  qfw::TensorType a_, b_;
  std::size_t workspace_;
};

/// Sums by the communicator of the host, when the stream comes to them: each replica waits there for the others.
class EmulatedCollective final : public cuda::Collective {
 public:
  EmulatedCollective(qfw::Communicator& replicas, Streams& streams) : replicas_(replicas), streams_(streams) {}

  std::string describe() const override { return "emulated"; }
  void all_reduce(Stream stream, std::span<const Piece> pieces, qfw::Across how) override {
    const auto reduction = how == qfw::Across::sum ? qfw::Communicator::Reduction::sum : qfw::Communicator::Reduction::mean;
    streams_.add(stream, [this, reduction, pieces = std::vector(pieces.begin(), pieces.end())] {
      for (const Piece& piece : pieces) {
        replicas_.all_reduce({reinterpret_cast<float*>(piece.data), piece.count}, reduction);
      }
    });
  }

 private:
  qfw::Communicator& replicas_;
  Streams& streams_;
};

/// The values of a launch's arguments, until it is done.
struct KeptArguments {
  KeptArguments(std::span<const std::size_t> sizes, std::span<void* const> arguments) {
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      // Aligned as any parameter.
      std::byte* const value = values.emplace_back(new (std::align_val_t{64}) std::byte[sizes[i]]).get();
      std::memcpy(value, arguments[i], sizes[i]);
      pointers.push_back(value);
    }
  }

  struct Delete {
    void operator()(std::byte* value) const { ::operator delete[](value, std::align_val_t{64}); }
  };
  std::vector<std::unique_ptr<std::byte[], Delete>> values;
  std::vector<void*> pointers;
};

class EmulatedDevice final : public cuda::Device {
 public:
  EmulatedDevice(const Faults& faults, const Kind& kind) : faults_(faults), schedule_(kind.schedule) {
    properties_ = {.name = "emulated on the host",
                   .versions = "g++ " QFW_HOST_COMPILER_VERSION,
                   .architecture = kind.architecture,
                   .multiprocessors = 3,
                   .memory_bytes = std::size_t{1} << 30,
                   .bf16 = kind.architecture >= 80};
  }

  const Properties& properties() const override { return properties_; }

  Address allocate(std::size_t bytes) override {
    if (streams_.recording()) throw std::runtime_error("emulated device: memory is allocated while work is recorded");
    return memory_.allocate(bytes);
  }
  void free(Address address) noexcept override {
    for (const Stream stream : all_streams) synchronize(stream);  // as cuMemFree does
    memory_.free(address);
  }
  std::byte* allocate_host(std::size_t bytes) override {
    auto* memory = new std::byte[bytes + 1];
    std::memset(memory, 0xa5, bytes);
    return memory;
  }
  void free_host(std::byte* memory) noexcept override {
    for (const Stream stream : all_streams) synchronize(stream);
    delete[] memory;
  }

  void copy_in(Stream stream, Address to, const std::byte* from, std::size_t bytes) override {
    add_copy(stream, to, from, bytes);
  }
  void copy_out(Stream stream, std::byte* to, const std::byte* from, std::size_t bytes) override {
    add_copy(stream, to, from, bytes);
  }
  void copy(Stream stream, Address to, const std::byte* from, std::size_t bytes) override {
    if (to < from + bytes && from < to + bytes) throw std::runtime_error("emulated device: a copy overlaps its source");
    add_copy(stream, to, from, bytes);
  }

  std::vector<std::shared_ptr<cuda::Function>> load(std::span<const cuda::KernelSource> sources) override {
    if (streams_.recording()) throw std::runtime_error("emulated device: code is loaded while work is recorded");
    std::vector<std::shared_ptr<cuda::Function>> functions;
    if (sources.empty()) return functions;
    const HostCode code = HostCode::compile(cuda::device_headers(), sources);
    for (const cuda::KernelSource& source : sources) functions.push_back(std::make_shared<EmulatedFunction>(code, source.name));
    return functions;
  }

  void launch(Stream stream, const cuda::Function& function, const cuda::LaunchShape& shape,
              std::span<void* const> arguments) override {
    const auto& code = dynamic_cast<const EmulatedFunction&>(function);
    const std::size_t threads = std::size_t{shape.block[0]} * shape.block[1] * shape.block[2];
    const std::size_t blocks = std::size_t{shape.grid[0]} * shape.grid[1] * shape.grid[2];
    constexpr unsigned most_blocks = 0x7fffffff;  // in x
    if (threads == 0 || threads > 1024 || shape.block[2] > 64 || blocks == 0 || shape.grid[0] > most_blocks ||
        shape.grid[1] > 65535 || shape.grid[2] > 65535 || shape.shared_bytes > properties_.shared_bytes) {
      qfw::fail(qfw::Error::Category::device, "cuda",
                fmt::format("cuLaunchKernel: CUDA_ERROR_INVALID_VALUE, {} blocks of {} threads for {}", blocks, threads,
                            code.name()));
    }
    if (arguments.size() != code.parameters().size()) {
      throw std::runtime_error(fmt::format("emulated device: {} takes {} arguments, is given {}", code.name(),
                                           code.parameters().size(), arguments.size()));
    }
    const std::size_t bytes = std::accumulate(code.parameters().begin(), code.parameters().end(), std::size_t{0});
    if (bytes > cuda::most_parameter_bytes) {  // NVRTC would not have compiled it for every device
      throw std::runtime_error(fmt::format("emulated device: {} takes {} bytes of parameters", code.name(), bytes));
    }
    const Schedule schedule = schedule_.value_or(schedules[static_cast<std::size_t>(launches_++) % schedules.size()]);
    auto kept = std::make_shared<KeptArguments>(code.parameters(), arguments);
    streams_.add(stream, [&code, shape, kept, schedule] { code.run(shape, kept->pointers.data(), schedule); });
  }

  std::unique_ptr<cuda::Event> make_event() override { return std::make_unique<EmulatedEvent>(); }
  void record(Stream stream, cuda::Event& event) override { streams_.record(stream, moment(event)); }
  void wait(Stream stream, const cuda::Event& event) override { streams_.wait(stream, moment(event)); }
  double seconds(const cuda::Event& from, const cuda::Event& to) override {
    if (moment(from)->recording != 0 || moment(to)->recording != 0)
      throw std::runtime_error("emulated device: an event that was recorded with other work is asked for its time");
    return moment(to)->at - moment(from)->at;
  }

  void synchronize(Stream stream) override {
    if (streams_.idle(stream)) return;
    memory_.open(true);
    try {
      streams_.drain(stream);
    } catch (...) {
      memory_.open(false);
      throw;
    }
    memory_.open(false);
  }

  std::unique_ptr<cuda::Recording> record_all(const std::function<void()>& enqueue) override {
    streams_.begin_recording();
    try {
      enqueue();
    } catch (...) {
      streams_.abandon_recording();
      throw;
    }
    return std::make_unique<EmulatedRecording>(streams_, streams_.end_recording());
  }

  std::unique_ptr<cuda::Collective> make_collective(qfw::Communicator& replicas) override {
    if (!faults_.collective) return nullptr;
    return std::make_unique<EmulatedCollective>(replicas, streams_);
  }

  std::unique_ptr<cuda::FloatProduct> make_product(const cuda::ProductShape& shape) override {
    return std::make_unique<ReferenceProduct>(shape, streams_);
  }

 private:
  static constexpr std::array all_streams{Stream::compute, Stream::copy, Stream::reduce};

  static const std::shared_ptr<Streams::Moment>& moment(const cuda::Event& event) {
    return dynamic_cast<const EmulatedEvent&>(event).moment;
  }
  void add_copy(Stream stream, std::byte* to, const std::byte* from, std::size_t bytes) {
    streams_.add(stream, [to, from, bytes] { std::memmove(to, from, bytes); });
  }

  Faults faults_;
  std::optional<Schedule> schedule_;
  Properties properties_;
  GuardedMemory memory_;
  Streams streams_;
  int launches_ = 0;
};

}  // namespace

std::unique_ptr<cuda::Device> make_device(const Faults& faults, const Kind& kind) {
  return std::make_unique<EmulatedDevice>(faults, kind);
}

}  // namespace emulated
