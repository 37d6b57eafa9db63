#include "cuda_device.h"

#include <cstring>

#include "support.h"

namespace qfw::cuda {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::StartsWith;

const ProductShape convolution{.kind = ProductShape::Kind::forward,
                               .conv = {.padding = {{1, 1}, {1, 1}}},
                               .src = {2, 8, 8, 16},
                               .weights = {3, 3, 16, 32},
                               .dst = {2, 8, 8, 32},
                               .in = DType::bf16,
                               .out = DType::bf16};

ProductShape of_kind(ProductShape::Kind kind, DType in = DType::f32) {
  ProductShape shape = convolution;
  shape.kind = kind;
  shape.in = in;
  shape.out = kind == ProductShape::Kind::grad_weights ? DType::f32 : in;
  return shape;
}

ProductShape of_matrices(ProductShape::Kind kind) {
  ProductShape shape = of_kind(kind);
  shape.conv = {};
  shape.src = {4, 1, 1, 16};
  shape.weights = {1, 1, 16, 32};
  shape.dst = {4, 1, 1, 32};
  return shape;
}

class Cuda : public testing::Test {
 protected:
  std::unique_ptr<CudaDevice> open(int index = 0) {
    return std::make_unique<CudaDevice>(CudaDevice::Options{.index = index, .code_folder = ""},
                                        nothing_around(qfw::cuda::fakes));
  }
  void TearDown() override {
    for (const fake::Control* control : {&fakes.driver, &fakes.nvrtc, &fakes.cudnn}) {
      EXPECT_EQ(control->live, 0);
      EXPECT_EQ(control->mistake, "");
    }
    fakes.reset();
  }

  Fakes fakes;
};

std::shared_ptr<Function> load_one(Device& device, const std::string& name, const std::string& text = "text") {
  const std::vector<KernelSource> sources{{name, text + " of " + name}};
  return device.load(sources).front();
}

void launch(Device& device, const Function& function, const LaunchShape& shape = {}, Stream stream = Stream::compute) {
  int value = 0;
  void* arguments[]{&value};
  device.launch(stream, function, shape, arguments);
}

TEST_F(Cuda, TellsWhatTheDeviceIs) {
  const auto device = open();
  const Device::Properties& properties = device->properties();
  EXPECT_EQ(properties.name, "Fake H100 (0)");
  EXPECT_EQ(properties.versions, "driver for CUDA 13.0, NVRTC 13.1, cuDNN 9.12.3, no NCCL");
  EXPECT_EQ(properties.architecture, 90);
  EXPECT_EQ(properties.multiprocessors, 132);
  EXPECT_EQ(properties.shared_bytes, 232448u);
  EXPECT_EQ(properties.memory_bytes, std::size_t{80} << 30);
  EXPECT_TRUE(properties.bf16);
}

TEST_F(Cuda, DevicesBeforeAmpereHaveNoBf16) {
  fakes.driver.major = 7;
  fakes.driver.minor = 5;
  EXPECT_FALSE(open()->properties().bf16);
}

TEST_F(Cuda, ADeviceThatIsNotThereIsAnErrorThatListsThoseThatAre) {
  const Failure failure = failure_of([&] { open(2); });
  EXPECT_EQ(failure.category, Error::Category::usage);
  EXPECT_THAT(failure.message,
              AllOf(HasSubstr("there is no device 2"), HasSubstr("Fake H100 (0), Fake L4 (1)"), HasSubstr("backend.device")));
  fakes.driver.devices = 0;
  EXPECT_THAT(failure_of([&] { open(); }).message, AllOf(HasSubstr("there is no device 0"), HasSubstr("the driver has none")));
}

TEST_F(Cuda, MemoryIsAlignedAndThereForNothingToo) {
  const auto device = open();
  const DeviceMemory none(*device, 0), odd(*device, 777);
  EXPECT_NE(none.data(), nullptr);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(odd.data()) % 256, 0u);
  device->free(nullptr);
  device->free_host(nullptr);
}

TEST_F(Cuda, MoreMemoryThanThereIsIsAnErrorWithWhatIsFree) {
  const auto device = open();
  const Failure failure = failure_of([&] { device->allocate(std::size_t{100} << 30); });
  EXPECT_EQ(failure.category, Error::Category::device);
  EXPECT_THAT(failure.message,
              AllOf(HasSubstr("cuMemAlloc of 102400.0 MiB"), HasSubstr("CUDA_ERROR_OUT_OF_MEMORY, out of memory"),
                    HasSubstr("Fake H100 (0): 81920.0 MiB of 81920.0 MiB are free"), HasSubstr("train.batch_size")));
}

TEST_F(Cuda, CopiesInOutAndWithin) {
  const auto device = open();
  const DeviceMemory a(*device, 100), b(*device, 100);
  std::byte* locked = device->allocate_host(100);
  std::memset(locked, 7, 100);
  device->copy_in(Stream::copy, a.data(), locked, 100);
  device->copy(Stream::compute, b.data(), a.data(), 100);
  std::memset(locked, 0, 100);
  device->copy_out(Stream::compute, locked, b.data(), 100);
  device->synchronize(Stream::compute);
  EXPECT_EQ(locked[99], std::byte{7});
  const long calls = fakes.driver.calls;
  device->copy_in(Stream::copy, a.data(), nullptr, 0);
  EXPECT_EQ(fakes.driver.calls, calls);
  device->free_host(locked);
}

TEST_F(Cuda, EqualTextsAreLoadedOnce) {
  const auto device = open();
  const std::vector<KernelSource> sources{{"a", "text a"}, {"b", "text b"}, {"a", "text a"}};
  const auto functions = device->load(sources);
  EXPECT_EQ(functions[0], functions[2]);
  EXPECT_NE(functions[0], functions[1]);
  EXPECT_EQ(device->load(sources), functions);
  EXPECT_THAT(fakes.driver.log, ElementsAre("load CODE", "load CODE"));
  EXPECT_EQ(functions[0]->describe(), "40 registers, 16 bytes of local memory (spills, arrays), 0 bytes of shared memory");
}

TEST_F(Cuda, AKernelThatTheCodeLacksIsTold) {
  const auto device = open();
  EXPECT_THAT(failure_of([&] { load_one(*device, "absent"); }).message,
              AllOf(HasSubstr("cuModuleGetFunction"), HasSubstr("absent on Fake H100 (0)")));
}

TEST_F(Cuda, MuchSharedMemoryIsAskedForOnce) {
  const auto device = open();
  const auto function = load_one(*device, "k");
  const long before = fakes.driver.calls;
  launch(*device, *function, {.shared_bytes = 48 << 10});
  launch(*device, *function, {.shared_bytes = 100 << 10});
  launch(*device, *function, {.shared_bytes = 100 << 10});
  EXPECT_EQ(fakes.driver.calls - before, 3 * 2 + 1);
  EXPECT_THAT(failure_of([&] { launch(*device, *function, {.shared_bytes = 300 << 10}); }).message,
              AllOf(HasSubstr("cuFuncSetAttribute"), HasSubstr("k: 1 x 1 x 1 blocks"),
                    HasSubstr("307200 bytes of shared memory of 232448 at most")));
}

TEST_F(Cuda, ALaunchThatFailsNamesTheKernelAndItsShape) {
  const auto device = open();
  const auto function = load_one(*device, "k");
  const Failure failure = failure_of([&] { launch(*device, *function, {.grid = {3, 70000, 1}, .block = {128, 2, 1}}); });
  EXPECT_EQ(failure.category, Error::Category::device);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("cuLaunchKernel"), HasSubstr("k: 3 x 70000 x 1 blocks of 128 x 2 x 1 threads"),
                                     HasSubstr("Fake H100 (0)")));
}

TEST_F(Cuda, EventsMeasure) {
  const auto device = open();
  const auto from = device->make_event(), to = device->make_event();
  device->record(Stream::compute, *from);
  device->record(Stream::copy, *to);
  device->wait(Stream::compute, *to);
  EXPECT_NEAR(device->seconds(*from, *to), 2.5e-3, 1e-9);
}

TEST_F(Cuda, WorkOfEveryStreamIsRecordedAndJoined) {
  const auto device = open();
  const auto function = load_one(*device, "k");
  const auto recording = device->record_all([&] {
    for (const Stream stream : {Stream::reduce, Stream::compute, Stream::copy}) launch(*device, *function, {}, stream);
  });
  EXPECT_THAT(fakes.driver.log, Not(Contains(HasSubstr("escapes"))));
  fakes.driver.log.clear();
  recording->replay();
  recording->replay();
  EXPECT_THAT(fakes.driver.log, ElementsAre("replay", "replay"));
}

TEST_F(Cuda, EventsWithinARecordingOrderStreams) {
  const auto device = open();
  const auto function = load_one(*device, "k");
  const auto event = device->make_event();
  EXPECT_NE(device->record_all([&] {
    launch(*device, *function);
    device->record(Stream::compute, *event);
    device->wait(Stream::reduce, *event);
    launch(*device, *function, {}, Stream::reduce);
  }),
            nullptr);
}

TEST_F(Cuda, WhatThrowsWhileRecordingLeavesTheDeviceUsable) {
  const auto device = open();
  const auto function = load_one(*device, "k");
  EXPECT_THAT(failure_of([&] {
                device->record_all([&] {
                  launch(*device, *function);
                  fail(Error::Category::internal, "test", "given up");
                });
              }).message,
              HasSubstr("given up"));
  device->synchronize(Stream::compute);
  EXPECT_NE(device->record_all([&] { launch(*device, *function); }), nullptr);
}

TEST_F(Cuda, WhatMayNotBeRecordedIsAnError) {
  const auto device = open();
  EXPECT_THAT(failure_of([&] { device->record_all([&] { device->allocate(1); }); }).message, HasSubstr("cuMemAlloc"));
  EXPECT_THAT(failure_of([&] { device->record_all([&] { device->synchronize(Stream::compute); }); }).message,
              HasSubstr("cuStreamSynchronize"));
  EXPECT_THAT(failure_of([&] { device->record_all([&] { device->record_all([] {}); }); }).message,
              HasSubstr("cuStreamBeginCapture"));
}

TEST_F(Cuda, ThingsMayOutliveTheDevice) {
  auto device = open();
  const auto function = load_one(*device, "k");
  const auto event = device->make_event();
  const auto recording = device->record_all([&] { launch(*device, *function); });
  const auto product = device->make_product(convolution);
  device.reset();
  EXPECT_GT(fakes.driver.live, 0);
}

TEST_F(Cuda, SeveralDevicesLiveBesideEachOther) {
  const auto first = open(0), second = open(1);
  EXPECT_EQ(second->properties().name, "Fake L4 (1)");
  const DeviceMemory a(*first, 10), b(*second, 10);
}

/// What cuDNN was told to execute: kind of operation (10 forward, 11 weights' gradient, 12 data gradient), then x, w, y and the
/// workspace.
std::vector<std::uintptr_t> executed(const fake::Control& cudnn) {
  std::vector<std::uintptr_t> words;
  std::istringstream line(cudnn.log.back());
  std::string word;
  line >> word;
  while (line >> word) words.push_back(std::stoull(word));
  return words;
}

std::vector<std::uintptr_t> addresses(std::uintptr_t kind, std::initializer_list<const std::byte*> pointers) {
  std::vector<std::uintptr_t> all{kind};
  for (const std::byte* pointer : pointers) all.push_back(reinterpret_cast<std::uintptr_t>(pointer));
  return all;
}

class Products : public Cuda {
 protected:
  void TearDown() override {
    for (DeviceMemory* memory : {&a, &b, &result, &workspace}) *memory = DeviceMemory();
    device.reset();
    Cuda::TearDown();
  }
  /// What is executed with operands a and b.
  std::vector<std::uintptr_t> run(const ProductShape& shape) {
    const auto product = device->make_product(shape);
    EXPECT_LE(product->workspace_bytes(), workspace.bytes());
    fakes.driver.log.clear();
    product->run(Stream::compute, a.data(), b.data(), result.data(), workspace.data());
    return executed(fakes.cudnn);
  }
  const std::byte* weights() const { return workspace.data() + 1024; }  // after what the plan needs

  std::unique_ptr<CudaDevice> device = open();
  DeviceMemory a{*device, 100}, b{*device, 100}, result{*device, 100}, workspace{*device, 100000};
};

TEST_F(Products, WeightsAreTransposedForCudnn) {
  using Kind = ProductShape::Kind;
  EXPECT_EQ(run(of_kind(Kind::forward)), addresses(10, {a.data(), weights(), result.data(), workspace.data()}));
  EXPECT_THAT(fakes.driver.log, ElementsAre("launch"));
  EXPECT_EQ(run(of_kind(Kind::grad_src)), addresses(12, {result.data(), weights(), a.data(), workspace.data()}));
  EXPECT_THAT(fakes.driver.log, ElementsAre("launch"));
  EXPECT_EQ(run(of_kind(Kind::grad_weights)), addresses(11, {a.data(), weights(), b.data(), workspace.data()}));
  EXPECT_THAT(fakes.driver.log, ElementsAre("launch"));
}

TEST_F(Products, ProductsOfMatricesGoTheOtherWayAndMoveNothing) {
  using Kind = ProductShape::Kind;
  EXPECT_EQ(run(of_matrices(Kind::forward)), addresses(12, {result.data(), b.data(), a.data(), workspace.data()}));
  EXPECT_EQ(run(of_matrices(Kind::grad_src)), addresses(10, {a.data(), b.data(), result.data(), workspace.data()}));
  EXPECT_EQ(run(of_matrices(Kind::grad_weights)), addresses(11, {b.data(), result.data(), a.data(), workspace.data()}));
  EXPECT_THAT(fakes.driver.log, IsEmpty());
}

TEST_F(Products, TheFirstEngineThatIsDeterministicAndServesIsTaken) {
  const auto product = device->make_product(of_kind(ProductShape::Kind::forward));
  EXPECT_EQ(product->describe(), "cuDNN 9.12.3, engine 3, 3 of 3 in mode A, workspace 1000 bytes, weights transposed");
}

TEST_F(Products, EqualShapesShareAPlan) {
  const auto first = device->make_product(convolution);
  const long calls = fakes.cudnn.calls;
  const auto second = device->make_product(convolution);
  EXPECT_EQ(fakes.cudnn.calls, calls);
}

TEST_F(Products, WeightsGradientsOfBf16AreRoundedWhereNoEngineGivesF32) {
  const auto product = device->make_product(of_kind(ProductShape::Kind::grad_weights, DType::bf16));
  EXPECT_THAT(product->describe(), HasSubstr("sums rounded to bf16"));
  EXPECT_EQ(product->workspace_bytes(), 1024u + 3 * 3 * 16 * 32 * 2);
}

TEST_F(Products, CanBeRecorded) {
  const auto product = device->make_product(convolution);
  const auto recording =
      device->record_all([&] { product->run(Stream::compute, a.data(), b.data(), result.data(), workspace.data()); });
  recording->replay();
}

TEST_F(Products, WhatIsNotAProductOfFloatsIsRefused) {
  ProductShape shape = convolution;
  shape.in = DType::s8;
  const Failure failure = failure_of([&] { device->make_product(shape); });
  EXPECT_EQ(failure.category, Error::Category::usage);
  EXPECT_THAT(failure.message,
              AllOf(HasSubstr("sm_90 has no convolution of s8 into bf16"), HasSubstr("not a product of floats")));
}

TEST_F(Cuda, Bf16OnADeviceWithoutItIsRefused) {
  fakes.driver.major = 7;
  fakes.driver.minor = 5;
  const auto device = open();
  const Failure failure = failure_of([&] { device->make_product(convolution); });
  EXPECT_EQ(failure.category, Error::Category::usage);
  EXPECT_THAT(failure.message, AllOf(HasSubstr("sm_75 has no convolution of bf16"), HasSubstr("[2, 8, 8, 16]"),
                                     HasSubstr("sm_80 or later"), HasSubstr("backend.compute = f16 or f32")));
}

/// All that a device can do.
void use_everything(const std::function<std::unique_ptr<CudaDevice>()>& open) {
  const auto device = open();
  const DeviceMemory a(*device, 1000), b(*device, 1000), result(*device, 1000), workspace(*device, 100000);
  const auto give_back = [&](std::byte* memory) { device->free_host(memory); };
  const std::unique_ptr<std::byte, decltype(give_back)> locked(device->allocate_host(1000), give_back);
  device->copy_in(Stream::copy, a.data(), locked.get(), 1000);
  device->copy(Stream::compute, b.data(), a.data(), 1000);
  device->copy_out(Stream::compute, locked.get(), b.data(), 1000);
  const auto function = load_one(*device, "k", "everything");
  launch(*device, *function, {.shared_bytes = 100 << 10});
  const auto from = device->make_event(), to = device->make_event();
  device->record(Stream::compute, *from);
  device->wait(Stream::copy, *from);
  device->record(Stream::copy, *to);
  device->seconds(*from, *to);
  const auto forward = device->make_product(convolution);
  const auto backward = device->make_product(of_kind(ProductShape::Kind::grad_weights, DType::bf16));
  const auto recording = device->record_all([&] {
    launch(*device, *function, {}, Stream::reduce);
    forward->run(Stream::compute, a.data(), b.data(), result.data(), workspace.data());
    backward->run(Stream::compute, a.data(), b.data(), result.data(), workspace.data());
  });
  recording->replay();
  device->synchronize(Stream::compute);
}

/// Calls whose failure nobody is told of: what is given back, what is only asked for the text of an error, and what may not be
/// had.
bool goes_untold(const std::string& function) {
  for (const char* part : {"Destroy", "Free", "Unload", "Release", "SetFlags"}) {
    if (function.find(part) != std::string::npos) return true;
  }
  return false;
}

std::string without_version(const std::string& function) { return function.substr(0, function.find("_v")); }

TEST_F(Cuda, EveryCallOfTheDriversThatFailsIsToldAndLeavesNothing) {
  for (long n = 1;; ++n) {
    fakes.reset();
    fakes.driver.fail_at = n;
    const Failure failure = failure_of([&] { use_everything([&] { return open(); }); });
    const std::string failed = fakes.driver.failed;
    EXPECT_EQ(fakes.driver.mistake, "") << failed;
    if (failed.empty()) {
      EXPECT_EQ(failure.message, "");
      EXPECT_GT(n, 100);
      break;
    }
    SCOPED_TRACE(failed + ", call " + std::to_string(n));
    // Destructors call these, too.
    const bool in_destructors = failed == "cuCtxSetCurrent" || failed == "cuThreadExchangeStreamCaptureMode";
    if (goes_untold(failed)) {
      EXPECT_EQ(failure.message, "");
    } else if (!in_destructors || !failure.message.empty()) {
      EXPECT_EQ(failure.category, Error::Category::device);
      EXPECT_THAT(failure.message,
                  AllOf(HasSubstr(without_version(failed)),
                        AnyOf(HasSubstr("CUDA_ERROR_FAKE, made up by a test"), HasSubstr("cuDriverGetVersion failed"))));
    }
    EXPECT_EQ(fakes.driver.live, 0);
    EXPECT_EQ(fakes.cudnn.live, 0);
  }
}

TEST_F(Cuda, EveryCallOfCudnnsThatFailsIsToldAndLeavesNothing) {
  for (long n = 1;; ++n) {
    fakes.reset();
    fakes.cudnn.fail_at = n;
    fakes.cudnn.fail_with = 4000;
    const Failure failure = failure_of([&] { use_everything([&] { return open(); }); });
    const std::string failed = fakes.cudnn.failed;
    SCOPED_TRACE(failed + ", call " + std::to_string(n));
    EXPECT_EQ(fakes.cudnn.mistake, "");
    EXPECT_EQ(fakes.cudnn.live, 0);
    EXPECT_EQ(fakes.driver.live, 0);
    if (failed.empty()) {
      EXPECT_EQ(failure.message, "");
      EXPECT_GT(n, 100);
      break;
    }
    const bool of_a_plan = failed == "cudnnBackendFinalize" && failure.category != Error::Category::device;
    if (goes_untold(failed)) {
      EXPECT_EQ(failure.message, "");
    } else if (of_a_plan && !failure.message.empty()) {  // of the last engine's; otherwise the next one is taken
      EXPECT_THAT(failure.message, AllOf(HasSubstr("sm_90 has no"), HasSubstr("not made: 2")));
    } else if (of_a_plan) {
      EXPECT_THAT(failure.message, IsEmpty());
    } else {
      EXPECT_EQ(failure.category, Error::Category::device);
      EXPECT_THAT(failure.message, AllOf(HasSubstr(failed), HasSubstr("CUDNN_STATUS_FAKE, made up by a test")));
    }
  }
}

}  // namespace
}  // namespace qfw::cuda
