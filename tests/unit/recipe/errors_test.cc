#include <gtest/gtest.h>

#include <functional>

#include "fake_plugins.h"
#include "qfw/dataset.h"
#include "qfw/layer.h"

namespace qfw::testing {
namespace {

struct Bad {
  const char* name;
  std::string text;
  std::vector<std::string> overrides;
  std::string message;
};

class BadRecipe : public ::testing::TestWithParam<Bad> {};

TEST_P(BadRecipe, SaysExactlyWhatIsWrong) { EXPECT_EQ(error_of(GetParam().text, GetParam().overrides), GetParam().message); }

const std::string m = minimal;  // four lines, so what follows begins in line 5

INSTANTIATE_TEST_SUITE_P(
    Table, BadRecipe,
    ::testing::Values(
        Bad{"unknown_section",
            m + "[quantiser]\nname = none\n",
            {},
            "r.ini:5: [quantiser]: unknown section; nearest valid name: quantizer"},
        Bad{"unknown_section_unlike_any",
            m + "[zzz]\n",
            {},
            "r.ini:5: [zzz]: unknown section; there are run, model, quantizer, schedule, optimizer, dataset, augment, train, "
            "eval, "
            "backend, communicator, checkpoint, metrics, layer:GLOB"},
        Bad{"unknown_core_key", m + "[train]\nstep = 4\n", {}, "r.ini:6: train.step: unknown key; nearest valid name: steps"},
        Bad{"unknown_core_key_unlike_any",
            m + "[checkpoint]\n\nfolder = x\n",
            {},
            "r.ini:7: checkpoint.folder: unknown key; valid names: every_steps, every_epochs, keep, best"},
        Bad{"unknown_plugin_key",
            m + "[quantizer]\nname = weights_only\nweight_prek = 4\n",
            {},
            "r.ini:7: quantizer.weight_prek: quantizer weights_only has no such option; nearest valid name: weight_prec"},
        Bad{"unknown_key_of_default_plugin",
            m + "[quantizer]\nweight_prec = 4\n",
            {},
            "r.ini:6: quantizer.weight_prec: quantizer none has no such option, quantizer weights_only, weights_and_auto_acts, "
            "weights_and_fixed_acts have it; valid names: "
            "arithmetic, require_integer, "
            "backward, name"},
        Bad{"core_key_misspelt_in_plugin_section",
            m + "[optimizer]\nweight_decai = 0\n",
            {},
            "r.ini:6: optimizer.weight_decai: optimizer sgd has no such option; nearest valid name: weight_decay"},
        Bad{"unknown_top_key",
            "descripton = x\n" + m,
            {},
            "r.ini:1: descripton: is no key outside sections; nearest valid name: description"},
        Bad{"not_an_integer", m + "[train]\nbatch_size = many\n", {}, "r.ini:6: train.batch_size: 'many' is not an integer"},
        Bad{"a_fraction_for_an_integer", m + "[train]\nsteps = 1.5\n", {}, "r.ini:6: train.steps: '1.5' is not an integer"},
        Bad{"integer_beyond_64_bits",
            m + "[train]\nsteps = 99999999999999999999\n",
            {},
            "r.ini:6: train.steps: '99999999999999999999' is beyond what an integer can hold"},
        Bad{"not_a_number",
            m + "[schedule]\nbase_learning_rate = 0,1\n",
            {},
            "r.ini:6: schedule.base_learning_rate: '0,1' is not a number"},
        Bad{"glob_of_no_path",
            m,
            {"quantizer.name=weights_only", "layer:a]b.weight_prec=2"},
            "command line: [layer:a]b]: matches no layer: no path has a ], a # or the end of a line in it"},
        Bad{"empty_number", m + "[train]\nepochs =\n", {}, "r.ini:6: train.epochs: '' is not a number"},
        Bad{"not_a_boolean",
            m + "[metrics]\nbounds = maybe\n",
            {},
            "r.ini:6: metrics.bounds: 'maybe' is neither true nor false"},
        Bad{"too_small", m + "[checkpoint]\nkeep = 0\n", {}, "r.ini:6: checkpoint.keep: 0 is too small, must be at least 1"},
        Bad{"too_large",
            m + "[quantizer]\nname = weights_only\nweight_prec = 9\n",
            {},
            "r.ini:7: quantizer.weight_prec: 9 is too large, must be at most 8"},
        Bad{"number_out_of_range",
            m + "[optimizer]\nmomentum = 1.5\n",
            {},
            "r.ini:6: optimizer.momentum: 1.5 is too large, must be at most 1"},
        Bad{"list_item_out_of_range",
            "[model]\nname = net\nstages = 2,0\n[dataset]\nname = images\n",
            {},
            "r.ini:3: model.stages: 0 is too small, must be at least 1; write a list of integers as 1,2,3"},
        Bad{"list_item_of_another_type",
            m + "[dataset]\nshape = 28 28 1\n",
            {},
            "r.ini:6: dataset.shape: '28 28 1' is not an integer; write a list of integers as 1,2,3"},
        Bad{"image_shape_without_channels",
            m + "[dataset]\nshape = 28,28\n",
            {},
            "r.ini:6: dataset.shape: '28,28' is not height,width,channels"},
        Bad{"none_where_a_value_must_be", m + "[train]\nbatch_size = none\n", {}, "r.ini:6: train.batch_size: may not be none"},
        Bad{"bad_choice",
            m + "[quantizer]\narithmetic = integr\n",
            {},
            "r.ini:6: quantizer.arithmetic: 'integr' is not one of fake_quant, integer; nearest valid name: integer"},
        Bad{"bad_choice_or_number",
            m + "[quantizer]\nname = weights_only\nbounds = always\n",
            {},
            "r.ini:7: quantizer.bounds: 'always' is not one of none, auto or a number"},
        Bad{"number_in_place_of_a_choice_out_of_range",
            m + "[quantizer]\nname = weights_only\nbounds = -1\n",
            {},
            "r.ini:7: quantizer.bounds: -1 is too small, must be at least 0"},
        Bad{"missing_plugin",
            m + "[quantizer]\nname = lsq\nbits = 4\n",
            {},
            "r.ini:6: quantizer.name: [plugin] no quantizer is called 'lsq'; there are: none, weights_only, "
            "weights_and_auto_acts, "
            "weights_and_fixed_acts"},
        Bad{"missing_plugin_by_its_old_key",
            m + "[quantizer]\nquant_target = WEIGHTS\n",
            {},
            "r.ini:6: quantizer.quant_target: [plugin] no quantizer is called 'WEIGHTS'; there are: none, weights_only, "
            "weights_and_auto_acts, weights_and_fixed_acts"},
        Bad{"missing_dataset",
            "[model]\nname = net\n[dataset]\nname = imagenet_tfds\ndata_dir = ~/data\n",
            {},
            "r.ini:4: dataset.name: [plugin] no dataset is called 'imagenet_tfds'; there are: images"},
        Bad{"no_model", "[dataset]\nname = images\n", {}, "r.ini: model.name: is missing; there are: net"},
        Bad{"what_may_stand_in_a_file_that_is_not_there_is_not_missing",
            "include = none_such.ini\n",
            {},
            "r.ini:1: include: [file] cannot read none_such.ini: No such file or directory; name a file that is there and "
            "may be read; the path is relative to the file that names it"},
        Bad{"duplicate_key",
            m + "[train]\nsteps = 1\n[train]\nsteps = 2\n",
            {},
            "r.ini:8: train.steps: given twice, first in line 6"},
        Bad{"name_and_its_alias",
            m + "[quantizer]\nname = none\nquant_target = NONE\n",
            {},
            "r.ini:7: quantizer.quant_target: is another word for name, which is given, too (r.ini:6)"},
        Bad{"no_equals_sign", m + "[train]\nsteps 4\n", {}, "r.ini:6: 'steps 4' is neither a section header nor key = value"},
        Bad{"no_key", m + "= 4\n", {}, "r.ini:5: '= 4' is neither a section header nor key = value"},
        Bad{"open_header", "[model\nname = net\n" + m, {}, "r.ini:1: '[model' is not a section header; write [name]"},
        Bad{"open_quotes",
            m + "[run]\ndir = \"x\n",
            {},
            "r.ini:6: run.dir: a quoted value ends with \" and knows \\\" \\\\ \\n \\r \\t only, then at most a comment"},
        Bad{"layer_key",
            m + "[quantizer]\nname = weights_only\n[layer:dense]\nact_prek = 8\n",
            {},
            "r.ini:8: layer:dense.act_prek: quantizer weights_only has no such option; nearest valid name: act_prec"},
        Bad{"layer_value",
            m + "[quantizer]\nname = weights_only\n[layer:dense]\nact_prec = 16\n",
            {},
            "r.ini:8: layer:dense.act_prec: 16 is too large, must be at most 8"},
        Bad{"layer_with_another_quantizer",
            m + "[layer:dense]\nname = none\n",
            {},
            "r.ini:6: layer:dense.name: a layer cannot have another quantizer, only other options of it (bounds, weight_prec, "
            "...)"},
        Bad{"core_key_for_a_layer",
            m + "[layer:dense]\narithmetic = integer\n",
            {},
            "r.ini:6: layer:dense.arithmetic: holds for all layers; set it in [quantizer]"},
        Bad{"layer_without_glob", m + "[layer:]\n", {}, "r.ini:5: [layer:]: names no layer; write [layer:GLOB]"},
        Bad{"constructor_disagrees",
            m + "[schedule]\nnum_epochs = 2\n",
            {},
            "r.ini: schedule.name: cosine: [schedule] warm-up is longer than the run"},
        Bad{"constructor_disagrees_by_line",
            m + "[quantizer]\nname = weights_only\nbroken = too bad\n",
            {},
            "r.ini:6: quantizer.name: weights_only: [fake] too bad"},
        Bad{"override_key", m, {"train.step=4"}, "command line: train.step: unknown key; nearest valid name: steps"},
        Bad{"override_section", m, {"trian.steps=4"}, "command line: [trian]: unknown section; nearest valid name: train"},
        Bad{"override_value", m, {"--train.steps=x"}, "command line: train.steps: 'x' is not an integer"},
        Bad{"override_form", m, {"train.steps"}, "command line: 'train.steps' is not of the form section.key=value"},
        Bad{"override_include", m, {"include=x.ini"}, "command line: include: only a file can include another"},
        Bad{"include_of_nothing",
            "include = none_such.ini\n" + m,
            {},
            "r.ini:1: include: [file] cannot read none_such.ini: No such file or directory; name a file that is there and "
            "may be read; the path is relative to the file that names it"},
        Bad{"format_that_is_not_there",
            "base_config_filename = r.ini\nbase_config_format = keras\n" + m,
            {},
            "r.ini:1: base_config_filename: [file] cannot read r.ini: No such file or directory; name a file that is there "
            "and may be read; the path is relative to the file that names it\n"
            "r.ini:2: base_config_format: [plugin] no format is called 'keras'; there are: lines, aqt, broken"},
        Bad{"all_at_once",
            m + "[trian]\n[eval]\nper_epoch = -1\nexamples = few\n[quantizer]\nname = gptq\n",
            {"train.steps=-1", "run.sed=1"},
            "r.ini:5: [trian]: unknown section; nearest valid name: train\n"
            "r.ini:7: eval.per_epoch: -1 is too small, must be at least 0\n"
            "r.ini:8: eval.examples: 'few' is not an integer\n"
            "r.ini:10: quantizer.name: [plugin] no quantizer is called 'gptq'; there are: none, weights_only, "
            "weights_and_auto_acts, "
            "weights_and_fixed_acts\n"
            "command line: run.sed: unknown key; nearest valid name: seed\n"
            "command line: train.steps: -1 is too small, must be at least 1"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(RecipeErrors, NamesTheFileOfAnInclude) {
  const Folder folder;
  folder.write("parts/base.ini", "[train]\nsteps = x\n");
  const auto file = folder.write("r.ini", "include = parts/base.ini\n" + minimal + "[eval]\nper_epoch = x\n");
  try {
    Recipe::load(file, {}, std::make_shared<FakePlugins>());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(), fmt::format("{0}/parts/base.ini:2: train.steps: 'x' is not an integer\n"
                                        "{0}/r.ini:7: eval.per_epoch: 'x' is not an integer",
                                        folder.path().string()));
  }
}

TEST(RecipeErrors, IncludesThatGoRoundInCircles) {
  const Folder folder;
  folder.write("b.ini", "include = a.ini\n");
  const auto file = folder.write("a.ini", "include = b.ini\n" + minimal);
  try {
    Recipe::load(file, {}, std::make_shared<FakePlugins>());
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.what(),
              fmt::format("{0}/b.ini:1: include: a recipe cannot include itself: {0}/a.ini -> {0}/b.ini -> {0}/a.ini",
                          folder.path().string()));
  }
}

TEST(RecipeErrors, AMissingIncludeIsToldWithAllThatLedToIt) {
  const Folder folder;
  folder.write("b.ini", "include = parts/c.ini\n");
  const auto file = folder.write("a.ini", "include = b.ini\n" + minimal);
  try {
    Recipe::load(file, {}, std::make_shared<FakePlugins>());
    FAIL();
  } catch (const Error& error) {
    const std::string message = error.what(), at = folder.path().string();
    EXPECT_TRUE(message.starts_with(fmt::format("{0}/b.ini:1: include: [file] cannot read {0}/parts/c.ini", at))) << message;
    EXPECT_TRUE(message.ends_with(fmt::format(": {0}/a.ini -> {0}/b.ini -> {0}/parts/c.ini", at))) << message;
  }
}

TEST(RecipeErrors, ManyAreCounted) {
  std::string text = minimal;
  for (int i = 0; i < 1000; ++i) text += "what is this\n";
  const std::string message = error_of(text);
  EXPECT_EQ(std::count(message.begin(), message.end(), '\n'), 50);
  EXPECT_TRUE(message.ends_with("\nand 950 more")) << message;
}

TEST(RecipeErrors, NameTheOriginInAForeignFile) {
  const Folder folder;
  folder.write("base.txt", "train steps x\nmodel depht 5\n");
  folder.write("worse.txt", "bad key x\n");
  const auto load = [&](const std::string& base) -> std::string {
    const auto file = folder.write("r.ini", "base_config_filename = " + base + "\nbase_config_format = lines\n" + minimal);
    try {
      Recipe::load(file, {}, std::make_shared<FakePlugins>());
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  };
  const std::string at = folder.path().string();
  EXPECT_EQ(load("base.txt"),
            fmt::format("{0}/base.txt: root.depht: model.depht: model net has no such option; nearest valid name: depth\n"
                        "{0}/base.txt: root.steps: train.steps: 'x' is not an integer",
                        at));
  EXPECT_EQ(load("worse.txt"), fmt::format("{0}/r.ini:1: base_config_filename: {0}/worse.txt: [lines] unknown key 'key'", at));
}

std::string message_of(const std::function<void()>& act) {
  try {
    act();
  } catch (const Error& error) {
    return error.category() == Error::Category::usage ? error.what() : std::string("another category: ") + error.what();
  }
  return {};
}

TEST(RecipeErrors, GlobsThatMatchNothingComeWithTheOthers) {
  const std::vector<std::string> paths{"init_conv", "stage1/block0/conv_1", "stage1/block0/conv_2", "stage2/block0/conv_1",
                                       "dense"};
  const std::string text = minimal +
                           "[quantizer]\nname = weights_only\n[layer:init_cnv]\nweight_prec = 8\n[layer:**/conv_1]\n"
                           "weight_prec = 2\n[layer:stage1/*]\nweight_prec = 3\n[train]\nsteps = x\n";
  auto loaded = LoadedRecipe::parse(text, "r.ini", {"layer:**/conv_9.act_prec=2"}, std::make_shared<FakePlugins>());
  ASSERT_TRUE(loaded.awaits_layers());
  EXPECT_NE(loaded.recipe().make<Layer>(), nullptr) << "whatever else is wrong, the model can be asked";
  loaded.check_layers(paths);
  EXPECT_EQ(message_of([&] { loaded.checked(); }),
            "r.ini:7: [layer:init_cnv]: matches no layer; nearest valid name: init_conv\n"
            "r.ini:11: [layer:stage1/*]: matches no layer; there are init_conv, stage1/block0/conv_1, ..., dense\n"
            "r.ini:14: train.steps: 'x' is not an integer\n"
            "command line: [layer:**/conv_9]: matches no layer; there are init_conv, stage1/block0/conv_1, ..., dense");
}

TEST(RecipeErrors, OfConstructorsCarrySectionAndLine) {
  const Recipe recipe = parse(minimal + "data_dir = missing\n");
  try {
    recipe.make<Dataset>();
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::data);
    EXPECT_STREQ(error.what(), "r.ini:4: dataset.name: images: [images] no such folder");
  }
}

TEST(RecipeErrors, OfALayersQuantizerNameTheRule) {
  const Recipe recipe = parse(minimal + "[quantizer]\nname = weights_only\n[layer:dense]\nbroken = badly\n");
  const std::vector<std::string> paths = {"init_conv", "dense"};
  EXPECT_EQ(message_of([&] { QuantizerSet(recipe, paths); }), "r.ini:7: [layer:dense]: weights_only of dense: [fake] badly");
}

TEST(RecipeErrors, GlobsAwaitLayersOnlyWhereTheModelIsValid) {
  const auto awaits = [](const std::string& text) {
    return LoadedRecipe::parse(text, "r.ini", {}, std::make_shared<FakePlugins>()).awaits_layers();
  };
  const std::string layers = "[quantizer]\nname = weights_only\n[layer:dense]\nweight_prec = 8\n";
  EXPECT_TRUE(awaits(minimal + layers));
  EXPECT_FALSE(awaits(minimal));
  EXPECT_FALSE(awaits("[model]\nname = net\ndepth = deep\n[dataset]\nname = images\n" + layers));
  EXPECT_FALSE(awaits("[dataset]\nname = images\n" + layers));
}

}  // namespace
}  // namespace qfw::testing
