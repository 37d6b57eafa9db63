#include "host_device.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <stdexcept>

#include "cuda/code.h"
#include "qfw/denormals.h"

namespace qfw::cuda::test {
namespace {

class HostFunction final : public Function {
 public:
  explicit HostFunction(const KernelSource& of) : source(of) {}
  std::string describe() const override { return source.name; }
  const KernelSource source;
};

std::vector<std::function<void(Device&)>>& makers() {
  static std::vector<std::function<void(Device&)>> all;
  return all;
}

/// Adds a source; another one of the same name must have the same text.
void add(std::vector<KernelSource>& sources, const KernelSource& source) {
  const auto found = std::ranges::find(sources, source.name, &KernelSource::name);
  if (found == sources.end()) {
    sources.push_back(source);
  } else if (found->text != source.text) {
    throw std::logic_error("two kernels are called " + source.name);
  }
}

const emulated::HostCode& compiled() {
  static const emulated::HostCode code = [] {
    std::vector<KernelSource> sources;
    for (const int architecture : architectures) {
      for (const KernelSource& source : kernels_of(architecture)) add(sources, source);
    }
    return emulated::HostCode::compile(device_headers(), sources);
  }();
  return code;
}

constexpr std::size_t page = 4096;

}  // namespace

HostDevice::HostDevice(int architecture, int multiprocessors, emulated::Schedule schedule)
    : properties_{.name = "host",
                  .versions = {},
                  .architecture = architecture,
                  .multiprocessors = multiprocessors,
                  .memory_bytes = 0,
                  .bf16 = false},
      schedule_(schedule) {}

std::vector<std::shared_ptr<Function>> HostDevice::load(std::span<const KernelSource> sources) {
  std::vector<std::shared_ptr<Function>> functions;
  for (const KernelSource& source : sources) {
    add(loaded, source);
    functions.push_back(std::make_shared<HostFunction>(source));
  }
  return functions;
}

void HostDevice::launch(Stream, const Function& function, const LaunchShape& shape, std::span<void* const> arguments) {
  ++launches;
  const std::string& name = dynamic_cast<const HostFunction&>(function).source.name;
  emulated::run_grid(compiled(), compiled().kernel(name), shape, const_cast<void**>(arguments.data()), schedule_);
}

void HostDevice::copy(Stream, Address to, const std::byte* from, std::size_t bytes) { std::memcpy(to, from, bytes); }

std::byte* HostDevice::none() { throw std::logic_error("a kernel asks for more of its device than it should"); }

Makes::Makes(std::function<void(Device&)> make) { makers().push_back(std::move(make)); }

std::vector<KernelSource> kernels_of(int architecture) {
  HostDevice device(architecture);
  for (const auto& make : makers()) make(device);
  return device.loaded;
}

Guarded::Guarded(std::size_t bytes, int fill) : bytes_(bytes) {
  const std::size_t inner = (bytes + 15 + page - 1) / page * page;
  mapped_ = inner + 2 * page;
  void* const memory = mmap(nullptr, mapped_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  begin_ = static_cast<std::byte*>(memory);
  mprotect(begin_ + page, inner, PROT_READ | PROT_WRITE);
  data_ = begin_ + page + (inner - bytes) / 16 * 16;
  std::memset(begin_ + page, fill, inner);
}

Guarded::Guarded(std::span<const std::byte> bytes) : Guarded(bytes.size()) {
  if (!bytes.empty()) std::memcpy(data_, bytes.data(), bytes.size());
}

Guarded::~Guarded() { munmap(begin_, mapped_); }

bool Guarded::intact() const {
  const auto untouched = [](std::byte b) { return b == std::byte{0xa5}; };
  return std::all_of(begin_ + page, data_, untouched) && std::all_of(data_ + bytes_, begin_ + mapped_ - page, untouched);
}

Bytes random_codes(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  Bytes bytes(count);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random());
  return bytes;
}

Bytes reference(Op op, const Attributes& attributes, std::span<const TensorType> types, std::span<const Bytes> inputs,
                TensorType* result) {
  const FlushDenormals flush;
  Node node;
  node.op = op;
  node.attributes = attributes;
  node.outputs = definition(op).infer(types, attributes);
  const TensorType& type = node.outputs.front();
  if (result != nullptr) *result = type;
  Bytes bytes(type.bytes());
  std::vector<HostView> views;
  for (std::size_t i = 0; i < inputs.size(); ++i) views.emplace_back(types[i], inputs[i]);
  const HostTensor to{type, bytes};
  definition(op).evaluate({node, views, {&to, 1}});
  return bytes;
}

Bytes run(Kernel& kernel, std::span<const Bytes> inputs, std::size_t bytes) {
  std::vector<std::unique_ptr<Guarded>> memory;
  std::vector<const std::byte*> addresses;
  for (const Bytes& input : inputs) {
    memory.push_back(std::make_unique<Guarded>(input));
    addresses.push_back(memory.back()->data());
  }
  const Guarded result(bytes), scratch(kernel.scratch_bytes());
  const Address to = result.data();
  kernel.enqueue(addresses, {&to, 1}, scratch.data());
  EXPECT_TRUE(result.intact() && scratch.intact()) << "writes beside its result";
  for (std::size_t i = 0; i < inputs.size(); ++i)
    EXPECT_TRUE(memory[i]->bytes() == inputs[i] && memory[i]->intact()) << "writes to input " << i;
  return result.bytes();
}

}  // namespace qfw::cuda::test
