#include "run/verify_export.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <stdexcept>

#include "io/checkpoint_folder.h"
#include "micro.h"
#include "run/deploy.h"
#include "run/trainer.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

/// Runs a network as `reference` does, with a bit of each element of one of its tensors flipped: the lowest one of codes, one
/// of the mantissa of floats. (Of a network that was hardly trained, single codes often change no logit.)
class Altering final : public Backend {
 public:
  explicit Altering(std::string tensor) : tensor_(std::move(tensor)) {}
  std::string describe() const override { return "made-up 1.0 cpu, level all"; }
  int threads() const override { return 1; }
  Support supports(const Graph& graph, const Node& node) const override { return inner_->supports(graph, node); }
  std::unique_ptr<Executable> compile(const Graph& graph, Communicator& replicas) override {
    Graph altered = graph;
    if (!tensor_.empty()) {
      const auto tensor = std::ranges::find(altered.tensors, tensor_, &ConstantTensor::name);
      if (tensor == altered.tensors.end()) throw std::runtime_error("there is no tensor " + tensor_);
      auto bytes = std::make_shared<std::vector<std::byte>>(*tensor->bytes);
      const bool codes = tensor->type.dtype == DType::s8;
      for (std::size_t i = codes ? 0 : 2; i < bytes->size(); i += size_of(tensor->type.dtype)) {
        (*bytes)[i] ^= codes ? std::byte{1} : std::byte{0x20};
      }
      tensor->bytes = bytes;
    }
    return inner_->compile(altered, replicas);
  }
  void read(std::string_view, HostTensor) const override {}
  void write(std::string_view, HostView) override {}

 private:
  std::unique_ptr<Backend> inner_ = testing::make<Backend>("reference");
  std::string tensor_;
};

class VerifyExport : public ::testing::Test {
 protected:
  static constexpr std::int64_t validation = 20;
  const Exporter::Promise promised{.equal = true, .reason = {}}, not_promised{.equal = false, .reason = "floats"};

  ExportReference::Outcome compare(const std::string& tensor, bool to_the_first = true, std::int64_t images = 0) {
    ExportReference reference(session_, model_, step_, images);
    const std::vector<ExportReference::Way> ways{{{"level", "none"}, {"threads", "1"}}, {{"level", "all"}, {"threads", "1"}}};
    return reference.compare(
        ways, [&](const ExportReference::Way& way) { return std::make_unique<Altering>(way[0].second == "all" ? tensor : ""); },
        to_the_first);
  }
  const std::string& layer(std::size_t i) const { return model_.graph.sites.at(i).path; }

  test::TemporaryFolder folder_;
  Recipe recipe_ = test::micro_recipe(folder_.path(), {"quantizer.arithmetic=integer"});
  bool trained_ = Trainer(recipe_).run() == Trainer::Outcome::finished;
  Session session_{recipe_, Session::Data::required};
  std::int64_t step_ = 6;
  FrozenModel model_ =
      frozen_model(session_, *open_checkpoint_of_run(checkpoints_in(folder_.path() / "r" / "checkpoints").back()));
};

TEST_F(VerifyExport, EqualBitsInAllWaysAreAGuarantee) {
  const auto outcome = compare("");
  EXPECT_TRUE(outcome.equal) << outcome.difference;
  EXPECT_EQ(outcome.agreeing, validation);
  EXPECT_EQ(outcome.guarantee(promised), "equal: made-up 1.0 cpu, levels none and all, threads 1, 20 images");
  EXPECT_EQ(compare("", true, 11).guarantee(promised), "equal: made-up 1.0 cpu, levels none and all, threads 1, 11 images");
  // Of what was not promised equality is luck.
  EXPECT_THAT(outcome.guarantee(not_promised), StartsWith("close: max |d| 0, top-1 agreement 100.00 % (20 of 20 images)"));
}

TEST_F(VerifyExport, AnAlteredCodeNamesItsLayer) {
  for (std::size_t i = 0; i < model_.graph.sites.size(); ++i) {
    ASSERT_TRUE(model_.graph.sites[i].integer) << layer(i);
    if (layer(i).find("block") != std::string::npos && !layer(i).ends_with("conv_proj")) continue;  // hardly count yet
    const auto outcome = compare(layer(i) + "/weights/codes");
    EXPECT_FALSE(outcome.equal) << layer(i);
    EXPECT_THAT(outcome.difference, AllOf(StartsWith("level all, threads 1: "),
                                          HasSubstr("the first layer that differs is " + layer(i) + ":"), HasSubstr("sums")));
  }
}

TEST_F(VerifyExport, AnAlteredScaleIsToldFromACode) {
  EXPECT_THAT(compare(layer(1) + "/factor").difference,
              AllOf(HasSubstr("the first layer that differs is " + layer(1) + ":"), HasSubstr("its scales differ")));
}

TEST_F(VerifyExport, WhereClosenessIsPromisedAllImagesAreMeasured) {
  const auto outcome = compare(layer(1) + "/weights/codes", false);
  EXPECT_FALSE(outcome.equal);
  EXPECT_GT(outcome.largest, 0);
  EXPECT_GT(outcome.agreeing, 0);
  EXPECT_THAT(outcome.guarantee(promised),
              AllOf(StartsWith("close: max |d| "), HasSubstr("top-1 agreement "), HasSubstr("of 20 images")));
}

}  // namespace
}  // namespace qfw
