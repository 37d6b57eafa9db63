// Which plans the cuDNN that is installed here makes for devices that are not here.
#include <fmt/format.h>

#include "cudnn.h"
#include "qfw/confined.h"
#include "support.h"
#include "support/described_device.h"

namespace qfw::cuda {
namespace {

using testing::AllOf;
using testing::AnyOf;
using testing::HasSubstr;
using testing::Not;

using test::a100;
using test::h100;
using test::t4;

struct Layer {
  std::int64_t channels, extent, outputs, kernel, stride;
};

/// The convolutions of ResNet50 and its dense layer, each once.
std::vector<Layer> resnet50() {
  std::vector<Layer> layers{{3, 224, 64, 7, 2}, {2048, 1, 1000, 1, 1}};
  std::int64_t channels = 64, extent = 56;
  for (const std::int64_t width : {64, 128, 256, 512}) {
    const std::int64_t stride = width == 64 ? 1 : 2;
    layers.push_back({channels, extent, 4 * width, 1, stride});
    layers.push_back({channels, extent, width, 1, 1});
    layers.push_back({width, extent, width, 3, stride});
    extent /= stride;
    layers.push_back({width, extent, 4 * width, 1, 1});
    layers.push_back({4 * width, extent, width, 1, 1});
    layers.push_back({width, extent, width, 3, 1});
    channels = 4 * width;
  }
  return layers;
}

ProductShape shape_of(const Layer& layer, ProductShape::Kind kind, DType in, std::int64_t images = 64) {
  ProductShape shape{.kind = kind,
                     .src = {images, layer.extent, layer.extent, layer.channels},
                     .weights = {layer.kernel, layer.kernel, layer.channels, layer.outputs},
                     .in = in,
                     .out = kind == ProductShape::Kind::grad_weights ? DType::f32 : in};
  shape.conv.stride = {layer.stride, layer.stride};
  shape.conv.padding = same_padding(shape.src, {layer.kernel, layer.kernel}, shape.conv.stride);
  const std::int64_t extent = (layer.extent + layer.stride - 1) / layer.stride;
  shape.dst = {images, extent, extent, layer.outputs};
  return shape;
}

constexpr std::array kinds{ProductShape::Kind::forward, ProductShape::Kind::grad_src, ProductShape::Kind::grad_weights};

/// cuDNN with a made-up driver below it, in a child process: what it learns of one driver it keeps.
class CudnnFor : public testing::TestWithParam<int> {
 protected:
  void SetUp() override {
    cudnn_ = look_for(wanted_cudnn(0), Surroundings::real("")).found;
    if (!cudnn_) GTEST_SKIP() << "cuDNN is not installed here: " << wanted_cudnn(0).install;
  }

  /// The plan's text for each shape, or why there is none.
  std::vector<std::string> plans(const std::vector<ProductShape>& shapes, CudnnPlans::Target target = {},
                                 const std::shared_ptr<CodeCache>& cache = nullptr) {
    const test::DescribedDevice& device = GetParam() == 75 ? t4 : GetParam() == 80 ? a100 : h100;
    target.properties = device.json();
    target.name = device.name;
    target.architecture = device.architecture;
    Received received = run_confined({.tag = "test", .task = "making plans"}, [&](Answer& answer) {
      const Library driver = look_for(wanted_driver(), nothing_around(fakes)).found;
      const Library compiler = look_for(wanted_compiler(0), Surroundings::real("")).found;
      fake::Control& control = control_of(driver);
      control.init_status = 34;  // CUDA_ERROR_STUB_LIBRARY: cuDNN then asks no more of a device than what is described
      control.major = device.architecture / 10;
      control.minor = device.architecture % 10;
      control.multiprocessors = device.multiprocessors;
      control.shared_per_block = device.shared_per_block;
      CudnnPlans all(std::make_shared<const cudnn::Cudnn>(cudnn_), target, cache);
      for (const ProductShape& shape : shapes) {
        try {
          const auto plan = all.find(shape);
          answer.put_text(fmt::format("{}{}, workspace {}, result {}", plan->exchanged ? "exchanged, " : "", plan->text,
                                      plan->workspace_bytes, name_of(plan->result)));
        } catch (const Error& error) {
          answer.put_text(error.what());
        }
      }
    });
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < shapes.size(); ++i) texts.push_back(received.take_text());
    return texts;
  }

 private:
  Library cudnn_;
};
INSTANTIATE_TEST_SUITE_P(Architectures, CudnnFor, testing::Values(80, 90));

class CudnnForAll : public CudnnFor {
 protected:
  static std::vector<DType> types() {
    if (GetParam() < 80) return {DType::f32, DType::f16};
    return {DType::f32, DType::bf16, DType::f16};
  }
};
INSTANTIATE_TEST_SUITE_P(Architectures, CudnnForAll, testing::Values(75, 80, 90));

class CudnnCompiling : public CudnnFor {};
INSTANTIATE_TEST_SUITE_P(Architectures, CudnnCompiling, testing::Values(90));

TEST_P(CudnnForAll, EveryLayerOfResNet50HasAPlan) {
  std::vector<ProductShape> shapes;
  for (const DType in : types()) {
    for (const Layer& layer : resnet50()) {
      for (const auto kind : kinds) shapes.push_back(shape_of(layer, kind, in));
    }
  }
  // What cuDNN compiles takes seconds for each: the next test has some of it.
  const auto found = plans(shapes, {.bf16_weight_gradients = true});
  for (std::size_t i = 0; i < shapes.size(); ++i) {
    SCOPED_TRACE(fmt::format("{} {} {} {}", static_cast<int>(shapes[i].kind), name_of(shapes[i].in), shapes[i].src.str(),
                             shapes[i].weights.str()));
    EXPECT_THAT(found[i], HasSubstr("engine "));
    EXPECT_THAT(found[i], Not(AnyOf(HasSubstr("not deterministic"), HasSubstr("rounds"), HasSubstr("Winograd"))));
    if (shapes[i].in == DType::f32) {
      EXPECT_THAT(found[i], AllOf(Not(HasSubstr("tensor cores")), HasSubstr("result f32")));
    } else {
      EXPECT_THAT(found[i], AllOf(HasSubstr("tensor cores"), HasSubstr("mode A")));
    }
  }
}

TEST_P(CudnnFor, WeightsGradientsOfBf16AreF32WhereChannelsAllowIt) {
  const auto kind = ProductShape::Kind::grad_weights;
  const std::vector<ProductShape> shapes{shape_of({64, 56, 64, 3, 1}, kind, DType::bf16),
                                         shape_of({256, 56, 64, 1, 1}, kind, DType::bf16),
                                         shape_of({3, 224, 64, 7, 2}, kind, DType::bf16)};
  const auto found = plans(shapes);
  EXPECT_THAT(found[0], AllOf(HasSubstr("compiled for it"), HasSubstr("result f32"), Not(HasSubstr("exchanged"))));
  EXPECT_THAT(found[1], AllOf(HasSubstr("compiled for it"), HasSubstr("result f32"), HasSubstr("exchanged")));
  EXPECT_THAT(found[2], AllOf(Not(HasSubstr("compiled for it")), HasSubstr("result bf16")));
}

TEST_P(CudnnCompiling, KeepsWhatItMade) {
  const test::TemporaryFolder folder;
  const std::vector<ProductShape> shapes{shape_of({64, 56, 64, 3, 1}, ProductShape::Kind::grad_weights, DType::bf16)};
  const auto cache = std::make_shared<CodeCache>(CodeCache::Options{.folder = folder.path()});
  const std::string made = plans(shapes, {}, cache).front();
  EXPECT_THAT(made, HasSubstr("compiled for it"));
  const std::string key = fs::directory_iterator(folder.path())->path().stem();
  const std::string kept = cache->read(key).value();
  cache->write(key, "engine from the cache" + kept.substr(kept.find('\n')));
  EXPECT_THAT(plans(shapes, {}, cache).front(),
              AllOf(HasSubstr("engine from the cache, workspace "), HasSubstr(made.substr(made.find(", workspace")))));
  cache->write(key, "engine from the cache\nnonsense");
  EXPECT_EQ(plans(shapes, {}, cache).front(), made);
}

TEST_P(CudnnFor, Tf32IsForThoseWhoAskForIt) {
  const std::vector<ProductShape> shapes{shape_of({64, 56, 64, 3, 1}, ProductShape::Kind::forward, DType::f32)};
  EXPECT_THAT(plans(shapes).front(), Not(HasSubstr("tensor cores")));
  EXPECT_THAT(plans(shapes, {.tf32 = true}).front(), HasSubstr("tensor cores"));
}

TEST_P(CudnnForAll, OddChannelsGroupsAndPaddingsThatDifferHavePlans) {
  std::vector<ProductShape> shapes;
  for (const DType in : types()) {
    for (const auto kind : kinds) {
      shapes.push_back(shape_of({5, 9, 7, 3, 2}, kind, in, 2));
      shapes.push_back(shape_of({17, 9, 3, 1, 1}, kind, in, 2));
      ProductShape grouped = shape_of({8, 9, 6, 3, 1}, kind, in, 2);
      grouped.src = {2, 9, 9, 16};
      grouped.conv.groups = 2;
      shapes.push_back(grouped);
      ProductShape uneven = shape_of({8, 12, 16, 3, 1}, kind, in, 2);
      uneven.conv.padding = {{0, 2}, {1, 1}};
      uneven.dst = {2, 11, 13, 16};
      shapes.push_back(uneven);
    }
  }
  const auto found = plans(shapes, {.bf16_weight_gradients = true});
  for (std::size_t i = 0; i < shapes.size(); ++i) EXPECT_THAT(found[i], HasSubstr("engine ")) << i;
}

}  // namespace
}  // namespace qfw::cuda
