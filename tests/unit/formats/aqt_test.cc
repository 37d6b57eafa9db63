#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "plugin/catalog.h"
#include "qfw/error.h"
#include "qfw/format.h"
#include "qfw/quantizer.h"
#include "recipe/recipe.h"
#include "util/nearest.h"

namespace qfw {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

const Catalog& catalog() {
  static const std::vector<std::filesystem::path> folders = {QFW_BINARY_DIR "/bin"};
  static const Catalog catalog(folders);
  return catalog;
}

std::unique_ptr<Format> format() { return catalog().get<Format>("aqt").make({}); }

/// "section.key = value" of each setting.
std::vector<std::string> lines(std::string_view json) {
  std::vector<std::string> lines;
  for (const Format::Setting& s : format()->to_recipe(json))
    lines.push_back(fmt::format("{}.{} = {}", s.section, s.key, s.value));
  return lines;
}

std::string error_of(std::string_view json) {
  try {
    format()->to_recipe(json);
  } catch (const Error& error) {
    return error.category() == Error::Category::usage ? error.what() : "another category";
  }
  return {};
}

std::string golden(const std::string& name) {
  std::ifstream stream(QFW_SOURCE_DIR "/tests/golden/hparams/" + name, std::ios::binary);
  EXPECT_TRUE(stream) << name;
  return std::string(std::istreambuf_iterator<char>(stream), {});
}

TEST(AqtFormat, AnEmptyFileMeansTheDocumentedDefaults) {
  EXPECT_THAT(lines("{}"), ElementsAre("eval.after_first_step = true", "run.seed = 0", "schedule.name = cosine",
                                       "schedule.base_learning_rate = 0.1", "schedule.num_epochs = 250",
                                       "schedule.warmup_epochs = 5", "schedule.cooldown_epochs = 50", "optimizer.name = sgd",
                                       "optimizer.weight_decay = 1e-04", "optimizer.momentum = 0.9", "model.name = resnet",
                                       "model.filter_multiplier = 1", "quantizer.name = none"));
}

TEST(AqtFormat, ScheduleAndOptimizerGiveOnlyTheKeysTheyHave) {
  const auto found = lines(R"({"base_learning_rate": 2e-05, "early_stop_steps": 1000, "seed": 3, "optimizer": "adam",
      "adam": {"beta1": 0.8, "beta2": 0.99}, "lr_scheduler": {"scheduler": "piecewise", "num_epochs": 800, "warmup_epochs": 0,
      "cooldown_epochs": 0, "endlr": 0.0, "knee_lr": 1e-05, "knee_epochs": 125}})");
  EXPECT_THAT(found,
              ElementsAre("eval.after_first_step = true", "run.seed = 3", "train.early_stop_steps = 1000",
                          "schedule.name = piecewise", "schedule.base_learning_rate = 2e-05", "schedule.num_epochs = 800",
                          "schedule.warmup_epochs = 0", "schedule.cooldown_epochs = 0", "schedule.endlr = 0",
                          "schedule.knee_lr = 1e-05", "schedule.knee_epochs = 125", "optimizer.name = adam",
                          "optimizer.weight_decay = 1e-04", "optimizer.beta1 = 0.8", "optimizer.beta2 = 0.99",
                          "model.name = resnet", "model.filter_multiplier = 1", "quantizer.name = none"));
}

/// Two stages of one and two blocks.
std::string small(const std::string& top, const std::string& layer = "{}") {
  return fmt::format(
      R"({{{0} "model_hparams": {{"conv_init": {1}, "dense_layer": {1}, "filter_multiplier": 0.5, "residual_blocks": [
      {{"conv_proj": {1}, "conv_1": {1}, "conv_2": {1}, "conv_3": {1}}},
      {{"conv_proj": {1}, "conv_1": {1}, "conv_2": {1}, "conv_3": {1}}},
      {{"conv_proj": null, "conv_1": {1}, "conv_2": {1}, "conv_3": {1}}}]}}}})",
      top, layer);
}

TEST(AqtFormat, StagesAreToldByTheirProjections) {
  EXPECT_THAT(lines(small("")), Contains("model.stages = 1,2"));
  EXPECT_THAT(lines(small("")), Contains("model.filter_multiplier = 0.5"));
}

TEST(AqtFormat, GlobalPrecisionFlowsDown) {
  const auto found = lines(small(R"("prec": 4, "half_shift": true, "quant_act": {"bounds": 6.0, "half_shift": false},)"));
  EXPECT_THAT(found, Contains("quantizer.name = weights_and_fixed_acts"));
  EXPECT_THAT(found, Contains("quantizer.weight_prec = 4"));
  EXPECT_THAT(found, Contains("quantizer.act_prec = 4"));
  EXPECT_THAT(found, Contains("quantizer.weight_half_shift = true"));
  EXPECT_THAT(found, Contains("quantizer.act_half_shift = false"));
  EXPECT_THAT(found, Not(Contains(HasSubstr("quantizer.bounds"))));  // the preset's 6
  EXPECT_THAT(found, Not(Contains(HasSubstr("layer:"))));
}

TEST(AqtFormat, FromConvToResidualToBlock) {
  const auto found =
      lines(small(R"("weight_prec": 8, "conv": {"weight_prec": 4}, "residual": {"conv_2": {"weight_prec": 2}},)"));
  EXPECT_THAT(found, Contains("quantizer.name = weights_only"));
  EXPECT_THAT(found, Contains("quantizer.weight_prec = 4"));
  EXPECT_THAT(found, Contains("layer:dense.weight_prec = 8"));  // not a convolution
  EXPECT_THAT(found, Contains("layer:stage1/block0/conv_2.weight_prec = 2"));
  EXPECT_THAT(found, Contains("layer:stage2/block1/conv_2.weight_prec = 2"));
  EXPECT_THAT(found, Not(Contains(HasSubstr("layer:init_conv"))));
}

TEST(AqtFormat, ALayersNullMeansFloat) {
  const auto found = lines(R"({"weight_prec": 4, "quant_act": {"bounds": {"ema_coeff": null, "fixed_bound": 2.5}, "prec": 4},
      "activation_bound_start_step": 10, "activation_bound_update_freq": 5, "weight_quant_start_step": 2,
      "model_hparams": {"conv_init": {"weight_prec": null, "quant_act": null}, "dense_layer": {"quant_type": "aqt"},
        "residual_blocks": [{"conv_proj": {}, "conv_1": {}, "conv_2": {}, "conv_3": {}}]}})");
  EXPECT_THAT(found, Contains("quantizer.name = weights_and_auto_acts"));
  EXPECT_THAT(found, Not(Contains(HasSubstr("quantizer.bounds"))));
  EXPECT_THAT(found, Contains("quantizer.ema_coeff = none"));
  EXPECT_THAT(found, Contains("quantizer.fixed_bound = 2.5"));
  EXPECT_THAT(found, Contains("quantizer.activation_bound_start_step = 10"));
  EXPECT_THAT(found, Contains("quantizer.activation_bound_update_freq = 5"));
  EXPECT_THAT(found, Contains("quantizer.weight_quant_start_step = 2"));
  EXPECT_THAT(found, Contains("layer:init_conv.bounds = none"));
  EXPECT_THAT(found, Contains("layer:init_conv.weight_prec = none"));
  EXPECT_THAT(found, Contains("layer:dense.quant_type = aqt"));
}

TEST(AqtFormat, BothFormsOfTheOriginalsConfigurationsAgree) {
  for (const std::string name : {"resnet50_w4_a4_fixed", "paper_resnet50_w4_a4_init8_dense8_auto"}) {
    EXPECT_EQ(lines(golden(name + ".config.json")), lines(golden(name + ".hparams.json"))) << name;
  }
}

TEST(AqtFormat, TheOriginalsFixedBoundsLeaveFirstAndLastLayerFloat) {
  const auto found = lines(golden("resnet50_w4_a4_fixed.hparams.json"));
  EXPECT_THAT(found, Contains("model.depth = 50"));
  EXPECT_THAT(found, Contains("quantizer.name = weights_and_fixed_acts"));
  EXPECT_THAT(found, Contains("quantizer.weight_prec = 4"));
  EXPECT_THAT(found, Contains("layer:init_conv.weight_prec = none"));
  EXPECT_THAT(found, Contains("layer:dense.bounds = none"));
}

TEST(AqtFormat, ThePapersAutomaticBoundsWithEightBitEnds) {
  const auto settings = format()->to_recipe(golden("paper_resnet50_w4_a4_init8_dense8_auto.hparams.json"));
  std::vector<std::string> layers;
  for (const auto& s : settings) {
    if (s.section.starts_with("layer:"))
      layers.push_back(fmt::format("{}.{} = {} from {}", s.section, s.key, s.value, s.origin));
  }
  EXPECT_THAT(layers, ElementsAre("layer:init_conv.weight_prec = 8 from model_hparams.conv_init.weight_prec",
                                  "layer:init_conv.act_prec = 8 from model_hparams.conv_init.quant_act.prec",
                                  "layer:dense.weight_prec = 8 from model_hparams.dense_layer.weight_prec",
                                  "layer:dense.act_prec = 8 from model_hparams.dense_layer.quant_act.prec"));
}

struct Bad {
  const char* name;
  std::string json, message;
};

class BadJson : public ::testing::TestWithParam<Bad> {};

TEST_P(BadJson, SaysExactlyWhatIsWrong) { EXPECT_EQ(error_of(GetParam().json), GetParam().message + " (format:aqt)"); }

INSTANTIATE_TEST_SUITE_P(
    Table, BadJson,
    ::testing::Values(
        Bad{"not_json", "{\n", "[aqt] the JSON ends too early, in line 2, column 1"},
        Bad{"empty", "", "[aqt] the JSON ends too early, in line 1, column 1"},
        Bad{"comment", "{\"seed\": 1, // mine\n\"momentum\": 0.9}",
            "[aqt] this is not JSON: syntax error in line 1, column 13, at '// mine'; JSON has no comments"},
        Bad{"comma_too_many", "{\"seed\": 1,\n}",
            "[aqt] this is not JSON: syntax error in line 2, column 1, at '}'; is there a comma too many before it?"},
        Bad{"nan", "{\n  \"weight_decay\": NaN}",
            "[aqt] this is not JSON: syntax error in line 2, column 19, at 'NaN}'; NaN and Infinity are no JSON numbers"},
        Bad{"infinity", "{\"seed\": -Infinity}",
            "[aqt] this is not JSON: syntax error in line 1, column 11, at 'Infinity}'; NaN and Infinity are no JSON numbers"},
        Bad{"single_quotes", "{'seed': 1}",
            "[aqt] this is not JSON: syntax error in line 1, column 2, at ''seed': 1}'; JSON has double quotes"},
        Bad{"more_after_the_end", "{}\n{}", "[aqt] this is not JSON: more follows the end in line 2, column 1, at '{}'"},
        Bad{"deep", std::string(100, '['),
            "[aqt] this is not JSON: too deeply nested in line 1, column 33, at '" + std::string(20, '[') + "'"},
        Bad{"twice", "{\"seed\": 1,\n \"adam\": {\"beta1\": 0.5, \"beta\\u0031\": 0.6},\n \"seed\": 2}",
            "[aqt] line 2, column 25: adam.beta1 is given twice; line 3, column 2: seed is given twice"},
        Bad{"beyond_doubles", R"({"momentum": 1e999})", "[aqt] line 1, column 14: momentum is inf, not a number"},
        Bad{"beyond_integers", R"({"seed": 99999999999999999999})", "[aqt] line 1, column 10: seed is 1e+20, not an integer"},
        Bad{"object_for_a_number", R"({"momentum": {"a": [1, 2, 3], "b": "a text of some length or other, cut"}})",
            "[aqt] line 1, column 14: momentum is {\"a\":[1,2,3],\"b\":\"a text of some length or other, ..., not a number"},
        Bad{"no_object", "[1]", "[aqt] this is JSON, but not an object of hyperparameters"},
        Bad{"unknown_key", R"({"lr_scheduler": {"num_epoch": 5}})",
            "[aqt] line 1, column 32: lr_scheduler.num_epoch is an unknown key; known here: cooldown_epochs, endlr, "
            "knee_epochs, knee_lr, num_epochs, "
            "scheduler, "
            "warmup_epochs"},
        Bad{"unknown_key_of_a_layer", R"({"model_hparams": {"conv_init": {"weight_precision": 4}}})",
            "[aqt] line 1, column 54: model_hparams.conv_init.weight_precision is an unknown key; known here: quant_act, "
            "quant_type, weight_half_shift, "
            "weight_prec, weight_quant_granularity"},
        Bad{"two_at_once", R"({"momentum": "much", "seed": 1.5})",
            "[aqt] line 1, column 14: momentum is \"much\", not a number; line 1, column 30: seed is 1.5, not an integer"},
        Bad{"wrong_type", R"({"weight_prec": "4"})", "[aqt] line 1, column 17: weight_prec is \"4\", not an integer or null"},
        Bad{"object_wanted", R"({"adam": 3})", "[aqt] line 1, column 10: adam is not an object"},
        Bad{"teacher", R"({"teacher_model": "resnet50-8bit"})",
            "[aqt] line 1, column 19: teacher_model is \"resnet50-8bit\"; only \"labels\" is supported"},
        Bad{"activation", R"({"act_function": "bprelu"})",
            "[aqt] line 1, column 18: act_function is \"bprelu\"; only \"relu\" is supported"},
        Bad{"squeeze", R"({"model_hparams": {"se_ratio": 0.125}})",
            "[aqt] line 1, column 32: model_hparams.se_ratio is 0.125; only 0.5 is supported"},
        Bad{"sparsity", R"({"sparsity": {"prune_rate": [2, 4], "type": "STRUCTURED_NM"}})",
            "[aqt] line 1, column 29: sparsity.prune_rate is [2,4]; only null is supported"},
        Bad{"shortcut", R"({"shortcut_spatial_method": "max_pool"})",
            "[aqt] line 1, column 29: shortcut_spatial_method is \"max_pool\"; only \"none\" is supported"},
        Bad{"no_first_projection", R"({"model_hparams": {"residual_blocks": [{"conv_proj": null}]}})",
            "[aqt] line 1, column 54: model_hparams.residual_blocks[0].conv_proj is null; the first block of each stage has "
            "one, and stages are "
            "told by it"},
        Bad{"another_sign",
            R"({"quant_act": {"bounds": 6, "prec": 8}, )"
            R"("model_hparams": {"dense_layer": {"quant_act": {"input_distribution": "symmetric"}}}})",
            "[aqt] line 1, column 111: model_hparams.dense_layer.quant_act.input_distribution is \"symmetric\"; in ResNet with "
            "ReLU the input of "
            "dense is "
            "positive"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(AqtFormat, NegativeEarlyStopsAreNone) {  // the original: if early_stop_steps >= 0 and ...
  EXPECT_THAT(lines(R"({"early_stop_steps": -1})"), Not(Contains(HasSubstr("early_stop_steps"))));
  EXPECT_THAT(lines(R"({"early_stop_steps": -7})"), Not(Contains(HasSubstr("early_stop_steps"))));
  EXPECT_THAT(lines(R"({"early_stop_steps": 7})"), Contains("train.early_stop_steps = 7"));
}

TEST(AqtFormat, NeutralKeysOfOtherModelsAreAccepted) {
  EXPECT_EQ(
      error_of(R"({"metadata": {"description": "x", "hyper_str": null, "last_updated_time": null}, "teacher_model": "labels",
      "is_teacher": true, "act_function": "relu", "sparsity": {"prune_rate": null, "type": "STRUCTURED_NM", "order": "C"},
      "residual": {"conv_se": {"anything": 1}}, "model_hparams": {"se_ratio": 0.5, "init_group": 32}})"),
      "");
}

/// Through the real plugins: every key that comes out is an option of the plugin that it is meant for.
Recipe load(const std::string& base, const std::string& rest = "") {
  const std::string text =
      "base_config_filename = " + base + "\n" + rest + "[dataset]\nname = nowhere\n[backend]\nname = reference\n";
  return Recipe::parse(text, QFW_SOURCE_DIR "/tests/golden/hparams/r.ini", {}, catalog(), {.dataset_optional = true});
}

std::string option_of(const Recipe& recipe, std::string_view layer, std::string_view key) {
  for (const auto& [name, value] : recipe.quantizer_settings(layer)) {
    if (name == key) return to_string(value);
  }
  return "(absent)";
}

TEST(AqtRecipe, FixedBounds) {
  const Recipe recipe = load("resnet50_w4_a4_fixed.config.json");
  EXPECT_EQ(recipe.name("model"), "resnet");
  EXPECT_EQ(recipe.name("quantizer"), "weights_and_fixed_acts");
  EXPECT_EQ(recipe.train().epochs, 250);
  EXPECT_EQ(recipe.optimizer().weight_decay, 1e-4);
  EXPECT_EQ(option_of(recipe, "init_conv", "weight_prec"), "none");
  EXPECT_EQ(option_of(recipe, "init_conv", "bounds"), "none");
  EXPECT_EQ(option_of(recipe, "stage1/block0/conv_1", "weight_prec"), "4");
  EXPECT_EQ(option_of(recipe, "stage1/block0/conv_1", "bounds"), "6");
  EXPECT_EQ(option_of(recipe, "dense", "bounds"), "none");
}

TEST(AqtRecipe, AutomaticBoundsAndTheRecipesOwnKeysWin) {
  const Recipe recipe = load("paper_resnet50_w4_a4_init8_dense8_auto.hparams.json",
                             "[schedule]\nnum_epochs = 90\n[layer:dense]\nweight_prec = 6\n[quantizer]\nact_prec = 3\n");
  EXPECT_EQ(recipe.train().epochs, 90);
  EXPECT_EQ(option_of(recipe, "dense", "weight_prec"), "6");
  EXPECT_EQ(option_of(recipe, "dense", "act_prec"), "8");
  EXPECT_EQ(option_of(recipe, "init_conv", "weight_prec"), "8");
  EXPECT_EQ(option_of(recipe, "stage4/block2/conv_3", "act_prec"), "3");
  EXPECT_EQ(option_of(recipe, "stage4/block2/conv_3", "bounds"), "auto");
  EXPECT_EQ(option_of(recipe, "stage4/block2/conv_3", "activation_bound_start_step"), "7500");
  EXPECT_EQ(option_of(recipe, "stage4/block2/conv_3", "fixed_bound"), "none");
}

TEST(AqtRecipe, ThePolicyNoneTakesItAllAndQuantizesNothing) {
  const Recipe recipe = load("paper_resnet50_w4_a4_init8_dense8_auto.hparams.json", "[quantizer]\nname = none\n");
  EXPECT_EQ(recipe.name("quantizer"), "none");
  EXPECT_EQ(option_of(recipe, "stage1/block0/conv_1", "weight_prec"), "4");
  const auto quantizer = recipe.make<Quantizer>();
  EXPECT_EQ(quantizer->phase_name(quantizer->phase({.step = 1'000'000})), "float");
}

TEST(AqtRecipe, TheOriginalsWordsForThePolicy) {
  const auto policy = [](const std::string& written) {
    const std::string text = "[model]\nname = resnet\n[quantizer]\nquant_target = " + written + "\n[dataset]\nname = nowhere\n";
    return Recipe::parse(text, "r.ini", {}, catalog(), {.dataset_optional = true}).name("quantizer");
  };
  for (const char* name : {"NONE", "WEIGHTS_ONLY", "WEIGHTS_AND_FIXED_ACTS", "WEIGHTS_AND_AUTO_ACTS"}) {
    EXPECT_TRUE(same_name(policy(name), name)) << name;
  }
  EXPECT_EQ(policy("WEIGHTS_AND_FIXED_ACT"), "weights_and_fixed_acts");
  EXPECT_EQ(policy("WEIGHTS_AND_AUTO_ACT"), "weights_and_auto_acts");
  EXPECT_THROW(policy("WEIGHTS_AND_ACTS"), Error);
}

TEST(AqtRecipe, OnlyTheOriginalsScalingOfRatesHasWords) {
  Format::Run run{.description = {}, .settings = {}, .layers = {}};
  for (const char* section : {"model", "quantizer", "schedule", "optimizer"}) {
    const std::string_view kind = section;
    const char* name = kind == "model" ? "resnet" : kind == "quantizer" ? "none" : kind == "schedule" ? "cosine" : "sgd";
    run.settings.push_back({section, "name", name, {}});
  }
  const std::string plain = format()->from_recipe(run, "hparams");
  run.settings.push_back({"schedule", "reference_batch", "256", {}});
  EXPECT_EQ(format()->from_recipe(run, "hparams"), plain);
  run.settings.back().value = "0";
  try {
    format()->from_recipe(run, "hparams");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("no words for schedule.reference_batch = 0"));
  }
}

}  // namespace
}  // namespace qfw
