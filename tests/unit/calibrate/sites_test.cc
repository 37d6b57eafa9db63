#include <gmock/gmock.h>

#include "passes/site_inputs.h"
#include "passes/site_levels.h"
#include "unit/passes/support.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

/// Two layers on one input that may be negative, and one on what cannot be.
Model three_layers() {
  return Model([](GraphBuilder& g, Value x, std::int64_t classes) {
    const Value images = flat(x);
    const Value left = layers::linear(g, "left", images, {.features = 5});
    const Value right = layers::linear(g, "right", images, {.features = 5});
    return layers::linear(g, "last", relu(left + right), {.features = classes});
  });
}

std::unique_ptr<Quantizer> aqt(Settings more = {}) {
  Settings settings{{"initial_bound", 1.0}, {"act_prec", std::int64_t{4}}, {"granularity", std::string("per_tensor")}};
  settings.insert(settings.end(), more.begin(), more.end());
  return make<Quantizer>("weights_and_auto_acts", settings);
}

struct Told {
  std::vector<SiteLevels::Site> sites;
  std::vector<Calibrator::Levels> levels;
};

Told told(const Quantizer& quantizer, const std::set<std::string, std::less<>>& paths, const std::string& backend) {
  const Model model = three_layers();
  const Clock clock{.training = false};
  const StepDescription step = description(model, quantizer, quantizer.phase(clock));
  const SiteLevels levels(step, matmul_sites(step), paths);
  Evaluator evaluator(backend);
  const Evaluator::Values values = evaluator.run(levels.graph());
  Told told{.sites = levels.sites(), .levels = {}};
  for (const SiteLevels::Site& site : told.sites) {
    told.levels.push_back(SiteLevels::levels(site, values.at(site.path + " scale"), values.at(site.path + " codes")));
  }
  return told;
}

TEST(SiteLevels, AreThoseOfTheQuantizer) {
  for (const std::string backend : {"reference", "cpu"}) {
    SCOPED_TRACE(backend);
    const Told plain = told(*aqt(), {"left", "last"}, backend);
    ASSERT_EQ(plain.sites.size(), 2u);
    EXPECT_EQ(plain.sites[0].path, "left");
    EXPECT_EQ(plain.levels[0].grid, (Grid{-7, 7}));
    EXPECT_NEAR(plain.levels[0].scale, 7, 1e-5);
    EXPECT_EQ(plain.levels[0].rounding, 0.5);
    EXPECT_EQ(plain.levels[1].grid, (Grid{0, 15}));
    EXPECT_NEAR(plain.levels[1].scale, 16, 1e-5);
    EXPECT_EQ(plain.levels[1].rounding, 0);

    const Told halves = told(*aqt({{"act_half_shift", true}}), {"left"}, backend);
    EXPECT_EQ(halves.levels[0].grid, (Grid{-7.5, 7.5}));
    EXPECT_NEAR(halves.levels[0].scale, 8, 1e-5);
    EXPECT_EQ(halves.levels[0].rounding, 0.5);
  }
}

TEST(SiteLevels, OfFloatsThereAreNone) {
  const Floats floats;
  EXPECT_THAT(told(floats, {"left", "last"}, "reference").sites, IsEmpty());
}

TEST(SiteInputs, AreThoseOfTheFloatNetwork) {
  const Model model = three_layers();
  const auto quantizer = aqt();
  const Floats floats;
  const Clock clock{.training = false};
  const SiteInputs inputs = site_inputs(description(model, *quantizer, quantizer->phase(clock)), {"left", "right", "last"});
  EXPECT_THAT(inputs.fetch_of, ElementsAre(Pair("last", 1u), Pair("left", 0u), Pair("right", 0u)));
  ASSERT_EQ(inputs.graph.fetches.size(), 2u);

  Evaluator evaluator;
  const Evaluator::Values values = evaluator.run(inputs.graph, {}, batch(0));
  const std::vector<float> images = batch(0).at("images");
  EXPECT_EQ(values.at("left"), images);
  std::vector<float> wanted;  // kernels are 1/8 throughout
  for (std::size_t row = 0; row < 2; ++row) {
    float sum = 0;
    for (std::size_t i = 0; i < 16; ++i) sum += images[row * 16 + i] / 8;
    for (int feature = 0; feature < 5; ++feature) wanted.push_back(std::max(0.f, 2 * sum));
  }
  const std::vector<float>& last = values.at("last");
  ASSERT_EQ(last.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(last[i], wanted[i], 1e-5);
}

}  // namespace
}  // namespace qfw::testing
