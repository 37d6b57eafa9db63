#include "inspect/cost.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "inspect/explanation.h"
#include "support/evaluate.h"
#include "support/files.h"
#include "support/golden.h"

namespace qfw::parity {
namespace {

namespace json = boost::json;

std::string text_of(const std::filesystem::path& file) {
  std::ifstream stream(file);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  std::stringstream text;
  text << stream.rdbuf();
  return text.str();
}

CostReport report_of(const std::string& recipe) {
  LoadOptions load;
  load.dataset_optional = true;
  const Session session(Recipe::parse(recipe, "cost.ini", {}, testing::catalog(), load), Session::Data::optional);
  return costs(session);
}

std::string data(std::int64_t image_size) {
  return fmt::format(
      "[dataset]\nname = nothing\nshape = {0},{0},3\nclasses = 1000\ntrain_examples = 1281167\n[backend]\nname = reference\n",
      image_size);
}

/// The name may end in a remark on the image size, "..._at_64". Another folder's costs may name configurations whose files are
/// among ours: they are the same published ones.
std::filesystem::path hparams_of(std::string name) {
  if (const std::size_t remark = name.rfind("_at_"); remark != std::string::npos) name.resize(remark);
  const auto file = std::filesystem::path("hparams") / (name + ".hparams.json");
  const auto given = golden::folder() / file;
  return std::filesystem::exists(given) ? given : std::filesystem::path(QFW_SOURCE_DIR) / "tests/golden" / file;
}

TEST(Cost, FiguresOfTheReference) {
  const json::object all = json::parse(text_of(golden::folder() / "costs.json")).as_object();
  ASSERT_FALSE(all.empty());
  for (const auto& [name, value] : all) {
    SCOPED_TRACE(std::string(name));
    const json::object& expected = value.as_object();
    const auto figure = [&](const char* key) { return expected.at(key).to_number<double>(); };
    const CostReport report = report_of(fmt::format("base_config_filename = {}\n{}", hparams_of(std::string(name)).string(),
                                                    data(expected.at("image_size").to_number<std::int64_t>())));
    EXPECT_EQ(report.total.compute, figure("compute_cost"));
    EXPECT_EQ(report.total.compute_linear, figure("compute_cost_linear"));
    EXPECT_EQ(report.total.memory, figure("memory_cost"));
    EXPECT_EQ(report.total.compute / report.unquantized.compute, figure("compute_cost_ratio_to_bfloat16"));
    EXPECT_EQ(report.total.compute_linear / report.unquantized.compute_linear, figure("compute_cost_ratio_to_bfloat16_linear"));
    EXPECT_EQ(report.total.memory / report.unquantized.memory, figure("memory_cost_ratio_to_bfloat16"));
    EXPECT_EQ(static_cast<double>(report.layers.size()), figure("num_conv_and_dense_ops"));
    RecordProperty(std::string(name),
                   fmt::format("{} {} {}", report.total.compute, report.total.compute_linear, report.total.memory));
  }
}

struct Written {
  const char* quantizer;
  double compute, memory;
};

/// "Cost figures" of the original's own tests: ResNet50 at 224 x 224, quantized throughout.
TEST(Cost, FiguresOfTheOriginalsTests) {
  const Written figures[] = {
      {"weights_only\nweight_prec = none", 1046831169536, 408046592},
      {"weights_only\nweight_prec = 8", 523415584768, 204023296},
      {"weights_only\nweight_prec = 4", 261707792384, 102011648},
      {"weights_and_fixed_acts\nbounds = 6\nweight_prec = 8\nact_prec = 8", 261707792384, 204023296},
      {"weights_and_fixed_acts\nbounds = 6\nweight_prec = 4\nact_prec = 4", 65426948096, 102011648},
      {"weights_and_fixed_acts\nbounds = 6\nweight_prec = 4\nact_prec = 4\n[layer:init_conv]\nweight_prec = none\nact_prec = "
       "none\n"
       "[layer:dense]\nweight_prec = none\nact_prec = none",
       // 118013952 multiplications of init_conv and 2048000 of dense, at 16 x 16 in place of 4 x 4 bits; 9408 and 2048000
       // weights.
       65426948096 + 240.0 * (118013952 + 2048000), 102011648 + 12.0 * (9408 + 2048000)},
  };
  for (const Written& written : figures) {
    SCOPED_TRACE(written.quantizer);
    const CostReport report =
        report_of(fmt::format("[model]\nname = resnet\ndepth = 50\n{}[quantizer]\nname = {}\n", data(224), written.quantizer));
    EXPECT_EQ(report.total.compute, written.compute);
    EXPECT_EQ(report.total.memory, written.memory);
    EXPECT_EQ(report.unquantized.compute, 1046831169536);
    EXPECT_EQ(report.unquantized.memory, 408046592);
  }
}

TEST(Cost, OfOneMatmul) {
  const Cost cost = cost_of(1000, 10, 3, 5);
  EXPECT_EQ(cost.compute, 15000);
  EXPECT_EQ(cost.compute_linear, 8000);
  EXPECT_EQ(cost.memory, 30);
  EXPECT_EQ(cost_of(1000, 10, 2, 1).compute_linear, 4000);
  EXPECT_EQ(cost_of(1000, 10, 4, 0).compute_linear, 16000);
  EXPECT_EQ(cost_of(1000, 10, 4, 0).compute, 64000);
  EXPECT_EQ(cost_of(1000, 10, 0, 4).memory, 160);
}

/// What `qfw explain --cost --json` prints.
TEST(Cost, OfTheCommandLine) {
  const test::TemporaryFolder folder;
  const auto recipe = folder.path() / "cost.ini", printed = folder.path() / "cost.json";
  const std::string text =
      fmt::format("[model]\nname = resnet\ndepth = 29\n{}[quantizer]\nname = weights_only\nweight_prec = 4\n", data(64));
  std::ofstream(recipe) << text;
  const std::string command = fmt::format("{0}/bin/qfw explain {1} --cost --json --plugin-dir={0}/bin > {2} 2> /dev/null",
                                          QFW_BINARY_DIR, recipe.string(), printed.string());
  ASSERT_EQ(std::system(command.c_str()), 0) << command;
  const json::object found = json::parse(text_of(printed)).as_object();
  const auto figure = [](const json::object& object, const char* key) { return object.at(key).to_number<double>(); };
  const CostReport report = report_of(text);
  EXPECT_EQ(figure(found, "compute_cost"), report.total.compute);
  EXPECT_EQ(figure(found, "compute_cost_linear"), report.total.compute_linear);
  EXPECT_EQ(figure(found, "memory_cost"), report.total.memory);
  EXPECT_EQ(figure(found, "compute_cost_ratio_to_bfloat16"), 0.25);
  EXPECT_EQ(figure(found, "compute_cost_ratio_to_bfloat16_linear"), 1);
  EXPECT_EQ(figure(found, "memory_cost_ratio_to_bfloat16"), 0.25);
  const json::array& layers = found.at("layers").as_array();
  ASSERT_EQ(layers.size(), report.layers.size());
  Cost sum;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const json::object& layer = layers[i].as_object();
    EXPECT_EQ(layer.at("path").as_string(), report.layers[i].path);
    EXPECT_EQ(figure(layer, "compute_cost"), report.layers[i].cost.compute);
    sum += {figure(layer, "compute_cost"), figure(layer, "compute_cost_linear"), figure(layer, "memory_cost")};
  }
  EXPECT_EQ(sum.compute, report.total.compute);
  EXPECT_EQ(sum.compute_linear, report.total.compute_linear);
  EXPECT_EQ(sum.memory, report.total.memory);
}

/// A run too short to quantize says so, and costs what the recipe means.
TEST(Cost, OfLayersQuantizedAfterTheLastStep) {
  const std::string recipe = fmt::format(
      "[model]\nname = resnet\ndepth = 29\n{}[quantizer]\nname = weights_and_auto_acts\n"
      "weight_prec = 4\nact_prec = 4\nactivation_bound_start_step = 100\n[train]\nsteps = {{}}\n",
      data(64));
  const CostReport soon = report_of(fmt::format(fmt::runtime(recipe), 10)),
                   later = report_of(fmt::format(fmt::runtime(recipe), 200));
  EXPECT_EQ(soon.total.compute, later.total.compute);
  EXPECT_EQ(soon.total.compute, soon.unquantized.compute / 16);
  EXPECT_EQ(later.later, 0);
  EXPECT_EQ(soon.later, static_cast<std::int64_t>(soon.layers.size()));
}

}  // namespace
}  // namespace qfw::parity
