#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "fake_plugins.h"
#include "qfw/backend.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/schedule.h"

namespace qfw::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Recipe load(const std::filesystem::path& file, const std::vector<std::string>& overrides = {}) {
  return Recipe::load(file, overrides, std::make_shared<FakePlugins>());
}

TEST(Recipe, SilentOneHasTheDocumentedDefaults) {
  const Recipe recipe = parse(minimal);
  EXPECT_EQ(recipe.run().seed, 0);
  EXPECT_EQ(recipe.run_dir(), "runs/r");
  EXPECT_EQ(recipe.train().epochs, 250);  // the schedule's
  EXPECT_EQ(recipe.train().steps, std::nullopt);
  EXPECT_EQ(recipe.train().early_stop_steps, std::nullopt);
  EXPECT_EQ(recipe.train().batch_size, 128);
  EXPECT_EQ(recipe.eval().batch_size, 128);  // training's
  EXPECT_EQ(recipe.eval().per_epoch, 4);
  EXPECT_EQ(recipe.eval().per_epoch_late, 16);
  EXPECT_FALSE(recipe.eval().after_first_step);
  EXPECT_EQ(recipe.eval().examples, std::nullopt);
  EXPECT_EQ(recipe.checkpoint().every_steps, std::nullopt);
  EXPECT_EQ(recipe.checkpoint().every_epochs, 10);
  EXPECT_EQ(recipe.checkpoint().keep, 3);
  EXPECT_TRUE(recipe.checkpoint().best);
  EXPECT_TRUE(recipe.metrics().tensorboard);
  EXPECT_EQ(recipe.metrics().every_steps, 1);
  EXPECT_FALSE(recipe.metrics().bounds);
  EXPECT_EQ(recipe.quantizer().arithmetic, "fake_quant");
  EXPECT_FALSE(recipe.quantizer().require_integer);
  EXPECT_EQ(recipe.backend().compute, "f32");
  EXPECT_EQ(recipe.optimizer().weight_decay, 1e-4);
  EXPECT_EQ(recipe.dataset().workers, 0);
  EXPECT_EQ(recipe.dataset().prefetch, 10);
  EXPECT_EQ(recipe.dataset().shape, std::nullopt);
  EXPECT_EQ(recipe.dataset().classes, std::nullopt);
  EXPECT_EQ(recipe.name("quantizer"), "none");
  EXPECT_EQ(recipe.name("schedule"), "cosine");
  EXPECT_EQ(recipe.name("optimizer"), "sgd");
  EXPECT_EQ(recipe.name("augment"), "none");
  EXPECT_EQ(recipe.name("backend"), "cpu");
  EXPECT_EQ(recipe.name("communicator"), "single");
  EXPECT_NE(recipe.make<Schedule>(), nullptr);
  EXPECT_NE(recipe.make<Backend>(), nullptr);
  EXPECT_NE(recipe.make<Communicator>(), nullptr);
  EXPECT_THAT(recipe.notes(), IsEmpty());
}

TEST(Recipe, ValuesOfEveryTypeArrive) {
  const Recipe recipe =
      parse("[model]\nname = net ; no comment, but part of the name\n[dataset]\nname = images\n", {"model.name=net"});
  EXPECT_EQ(recipe.name("model"), "net");
  const Recipe values = parse(
      "# comment\n; another\n\n[model]\r\nname = NET # of course\nstages = 2, 3,4\n[dataset]\n"
      "name=images\n  data_dir = \"a # b; \\\"c\\\" \" # trailing\nmirror = a;b = c\nshape = 28,28,1\n"
      "[metrics]\nbounds = True\n[optimizer]\nmomentum=1e-05\n[train]\nepochs = 1.5\n");
  EXPECT_EQ(value_of(values, "model", "stages"), "2,3,4");
  EXPECT_EQ(value_of(values, "dataset", "data_dir"), "a # b; \"c\" ");
  EXPECT_EQ(value_of(values, "dataset", "mirror"), "a;b = c");
  EXPECT_EQ(values.dataset().shape, (std::vector<std::int64_t>{28, 28, 1}));
  EXPECT_TRUE(values.metrics().bounds);
  EXPECT_EQ(value_of(values, "optimizer", "momentum"), "1e-05");
  EXPECT_EQ(values.train().epochs, 1.5);
}

TEST(Recipe, BaseIncludeRecipeAndCommandLineOverrideEachOtherInThisOrder) {
  const Folder folder;
  folder.write("parts/base.txt", "train steps 1 train batch_size 1 eval per_epoch 1 eval examples 1\n");
  folder.write("parts/deep.ini",
               "description = deep\nbase_config_filename = base.txt\nbase_config_format = lines\n"
               "[train]\nbatch_size = 2\n[eval]\nper_epoch = 2\nexamples = 2\n");
  folder.write("parts/include.ini", "include = deep.ini\n[eval]\nper_epoch = 3\nexamples = 3\n");
  const auto file = folder.write("r.ini", "include = parts/include.ini\n" + minimal + "[eval]\nexamples = 4\n");
  const Recipe recipe = load(file);
  EXPECT_EQ(recipe.train().steps, 1);
  EXPECT_EQ(recipe.train().batch_size, 2);
  EXPECT_EQ(recipe.eval().per_epoch, 3);
  EXPECT_EQ(recipe.eval().examples, 4);
  EXPECT_EQ(recipe.description(), "deep");
  const Recipe overridden = load(file, {"eval.examples=5", "--train.steps=6", "train.steps=7", "description=mine"});
  EXPECT_EQ(overridden.eval().examples, 5);
  EXPECT_EQ(overridden.train().steps, 7);
  EXPECT_EQ(overridden.description(), "mine");
  EXPECT_EQ(load(file, {"base_config_filename=none"}).train().steps, std::nullopt);
}

/// A name that is empty unless it is set is left out by `none` as any value that may be none, and never a file of that name.
TEST(Recipe, NoneLeavesOutWhatIsEmptyByDefault) {
  const Folder folder;
  const auto file = folder.write("r.ini", "include = none\n" + minimal + "[run]\ndir = none\n[dataset]\ncache_dir = none\n");
  const Recipe recipe = load(file);
  EXPECT_EQ(recipe.run_dir().filename(), "r");
  EXPECT_TRUE(recipe.dataset_cache_dir().empty());
  EXPECT_EQ(recipe.text(), load(folder.write("q/r.ini", minimal)).text());
  const Recipe named = load(file, {"run.dir=\"none\"", "dataset.cache_dir=./none"});
  EXPECT_EQ(named.run_dir(), "none");
  EXPECT_EQ(named.dataset_cache_dir(), "./none");
  EXPECT_THAT(named.text(), HasSubstr("dir = \"none\"\n"));
  EXPECT_EQ(load(file, {"run.dir=somewhere", "run.dir=none"}).run_dir(), recipe.run_dir());
}

TEST(Recipe, KeepsKeysThatCameBeforeThePluginsName) {
  const Folder folder;
  folder.write("bits.ini", "[quantizer]\nweight_prec = 4\n[layer:dense]\nweight_prec = 8\n");
  const auto file = folder.write("r.ini", "include = bits.ini\n" + minimal + "[quantizer]\nname = weights_only\n");
  const Recipe recipe = load(file);
  EXPECT_EQ(value_of(recipe, "quantizer", "weight_prec"), "4");
  EXPECT_EQ(value_of(recipe, "layer:dense", "weight_prec"), "8");
  EXPECT_THAT(recipe.notes(), IsEmpty());
}

TEST(Recipe, DropsWithANoteWhatAnotherPluginLacks) {
  const Recipe recipe = parse(minimal +
                                  "[quantizer]\nname = weights_only\nweight_prec = 4\narithmetic = integer\n[layer:dense]\n"
                                  "weight_prec = 8\n[schedule]\nnum_epochs = 20\n",
                              {"quantizer.name=none", "schedule.name=constant", "train.epochs=3"});
  EXPECT_EQ(recipe.name("quantizer"), "none");
  EXPECT_EQ(recipe.quantizer().arithmetic, "integer");  // the core's, whatever the quantizer
  EXPECT_EQ(value_of(recipe, "layer:dense", "weight_prec"), "(absent)");
  EXPECT_THAT(recipe.notes(),
              ElementsAre("quantizer.weight_prec (r.ini:7) is dropped: quantizer none (command line) has no such option",
                          "layer:dense.weight_prec (r.ini:10) is dropped: quantizer none (command line) has no such option",
                          "schedule.num_epochs (r.ini:12) is dropped: schedule constant (command line) has no such option"));
}

TEST(Recipe, DropsKeysOfOnePluginForAnotherOfALaterSource) {
  const Folder folder;
  folder.write("base.ini", "[schedule]\nname = cosine\nnum_epochs = 20\n");
  const auto file = folder.write("r.ini", "include = base.ini\n" + minimal + "[schedule]\nname = constant\n");
  const Recipe recipe = load(file);
  EXPECT_EQ(recipe.train().epochs, std::nullopt);  // nothing to inherit from
  ASSERT_EQ(recipe.notes().size(), 1u);
  EXPECT_THAT(recipe.notes()[0], HasSubstr("schedule.num_epochs"));
}

TEST(Recipe, AMissingPluginThatIsOverriddenIsNoError) {
  const Recipe recipe = parse(minimal + "[quantizer]\nname = lsq\nbits = 4\n", {"quantizer.name=weights_only"});
  EXPECT_EQ(recipe.name("quantizer"), "weights_only");
  EXPECT_EQ(recipe.notes().size(), 1u);
}

TEST(Recipe, KnowsTheOriginalsSpellings) {
  const auto resolved = [](const std::string& line) {
    return parse(minimal + "[quantizer]\n" + line + "\n").name("quantizer");
  };
  EXPECT_EQ(resolved("quant_target = WEIGHTS_AND_AUTO_ACTS"), "weights_and_auto_acts");
  EXPECT_EQ(resolved("quant_target = WEIGHTS_AND_AUTO_ACT"), "weights_and_auto_acts");
  EXPECT_EQ(resolved("quant_target = WEIGHTS_AND_FIXED_ACT"), "weights_and_fixed_acts");
  EXPECT_EQ(resolved("quant_target = WEIGHTS_ONLY"), "weights_only");
  EXPECT_EQ(resolved("quant_target = NONE"), "none");
  EXPECT_EQ(resolved("name = Weights_Only"), "weights_only");
  EXPECT_EQ(parse(minimal, {"quantizer.quant_target=WEIGHTS_ONLY"}).name("quantizer"), "weights_only");
}

TEST(Recipe, InheritsAcrossSectionsUntilItSaysOtherwise) {
  const Recipe recipe = parse(minimal + "[schedule]\nnum_epochs = 20\n[train]\nbatch_size = 32\n");
  EXPECT_EQ(recipe.train().epochs, 20);
  EXPECT_EQ(recipe.eval().batch_size, 32);
  EXPECT_EQ(parse(minimal + "[train]\nepochs = 5\n").train().epochs, 5);
  EXPECT_EQ(parse(minimal + "[train]\nepochs = none\nsteps = 5\n").train().epochs, std::nullopt);
  for (const Recipe::Row& row : recipe.table()) {
    if (row.section == "train" && row.key == "epochs") {
      EXPECT_EQ(row.origin, "schedule.num_epochs");
    }
    if (row.section == "schedule" && row.key == "num_epochs") {
      EXPECT_EQ(row.origin, "r.ini:6");
    }
    if (row.section == "schedule" && row.key == "warmup_epochs") {
      EXPECT_EQ(row.origin, "default");
    }
  }
}

TEST(Recipe, ADataSetThatIsNotThereIsToleratedOnRequest) {
  const std::string text = "[model]\nname = net\n[dataset]\nname = imagenet\ndata_dir = \"#1\"\nshape = 224,224,3\n";
  const Recipe recipe = parse(text, {}, {.dataset_optional = true});
  EXPECT_FALSE(recipe.dataset_available());
  EXPECT_EQ(recipe.dataset().shape, (std::vector<std::int64_t>{224, 224, 3}));
  EXPECT_THAT(recipe.notes(), ElementsAre("dataset imagenet is not installed; kept unchecked: data_dir"));
  EXPECT_THROW(recipe.make<Dataset>(), Error);
  const std::string resolved = recipe.text();
  EXPECT_THAT(resolved, HasSubstr("data_dir = \"#1\"\n"));
  EXPECT_EQ(parse(resolved, {}, {.dataset_optional = true}).text(), resolved);
}

TEST(Recipe, QuantizersFollowTheirGlobs) {
  const Recipe recipe = parse(minimal +
                                  "[quantizer]\nname = weights_and_auto_acts\nweight_prec = 4\nact_prec = 4\n"
                                  "[layer:**/conv_*]\nweight_prec = 3\n[layer:stage1/**]\nweight_prec = 2\nact_prec = none\n"
                                  "[layer:dense]\nbounds = 6.0\n",
                              {"layer:stage1/block1/*.act_prec=1"});
  const std::vector<std::string> paths = {"init_conv", "stage1/block0/conv_1", "stage1/block1/conv_1", "stage2/block0/conv_1",
                                          "dense"};
  const QuantizerSet quantizers(recipe, paths);
  const auto options = [&](const char* path) {
    return dynamic_cast<const FakeQuantizer&>(quantizers.quantizer_for(path)).options;
  };
  EXPECT_EQ(options("init_conv").weight_prec, 4);
  EXPECT_EQ(options("stage2/block0/conv_1").weight_prec, 3);
  EXPECT_EQ(options("stage2/block0/conv_1").act_prec, 4);
  EXPECT_EQ(options("stage1/block0/conv_1").weight_prec, 2);  // the later section wins
  EXPECT_EQ(options("stage1/block0/conv_1").act_prec, std::nullopt);
  EXPECT_EQ(options("stage1/block1/conv_1").act_prec, 1);
  EXPECT_EQ(options("dense").bounds, "6");
  EXPECT_EQ(options("init_conv").bounds, "auto");
}

TEST(Recipe, LayerSectionsOfLaterSourcesWin) {
  const Folder folder;
  folder.write("base.ini", "[layer:dense]\nweight_prec = 8\nact_prec = 8\n[layer:*]\nweight_prec = 2\n");
  const auto file = folder.write(
      "r.ini", "include = base.ini\n" + minimal + "[quantizer]\nname = weights_only\n[layer:dense]\nweight_prec = 5\n");
  const Recipe recipe = load(file);
  const std::vector<std::string> paths = {"dense"};
  const QuantizerSet quantizers(recipe, paths);
  const auto& quantizer = dynamic_cast<const FakeQuantizer&>(quantizers.quantizer_for("dense"));
  EXPECT_EQ(quantizer.options.weight_prec, 5);
  EXPECT_EQ(quantizer.options.act_prec, 8);
  const std::string text = recipe.text();
  EXPECT_THAT(text, HasSubstr("[layer:dense]\nact_prec = 8\n\n[layer:*]\nweight_prec = 2\n\n[layer:dense]\nweight_prec = 5\n"));
  EXPECT_EQ(parse(text).text(), text);
}

TEST(Recipe, ResolvedTextLoadsToTheSameRecipe) {
  const Recipe recipe =
      parse("description = \"first \\\"line\\\"\\nsecond # line\"\n" + minimal +
                "data_dir = \" spaces and # and ; \"\nmirror = \"none\"\nclasses = 10\n"
                "[quantizer]\nquant_target = WEIGHTS_AND_FIXED_ACT\nema_coeff = 0.1\n[layer:**/conv_*]\nbounds = auto\n"
                "ema_coeff = none\n[optimizer]\nweight_decay = 1e-05\nmomentum = 0.30000000000000004\n[model]\nstages = 2,2\n",
            {"run.dir=~/runs; #1", "run.seed=7"});
  const std::string text = recipe.text();
  EXPECT_EQ(parse(text).text(), text);
  EXPECT_THAT(text, HasSubstr("description = \"first \\\"line\\\"\\nsecond # line\"\n"));
  EXPECT_THAT(text, HasSubstr("mirror = \"none\"\n"));
  EXPECT_THAT(text, HasSubstr("weight_decay = 1e-05\n"));
  EXPECT_THAT(text, HasSubstr("momentum = 0.30000000000000004\n"));
  EXPECT_THAT(text, HasSubstr("name = weights_and_fixed_acts\n"));
  EXPECT_THAT(text, HasSubstr("dir = \"~/runs; #1\"\nseed = 7\n"));
  for (const Recipe::Row& row : recipe.table()) EXPECT_EQ(value_of(parse(text), row.section, row.key), row.value) << row.key;
  const std::string placeless = recipe.text(false);
  EXPECT_THAT(placeless, ::testing::Not(HasSubstr("[run]")));
  EXPECT_EQ(parse(placeless).text(false), placeless);
}

TEST(Recipe, ResolvedTextOfTheSmallestRecipe) {
  const std::string text = parse(minimal, {"run.dir=here"}).text();
  EXPECT_EQ(text,
            "[run]\ndir = here\nseed = 0\n\n"
            "[model]\nname = net\ndepth = 50\nstages = \"\"\nfilter_multiplier = 1\n\n"
            "[quantizer]\nname = none\narithmetic = fake_quant\nrequire_integer = false\nbackward = float\n\n"
            "[schedule]\nname = cosine\nnum_epochs = 250\nbase_learning_rate = 0.1\nwarmup_epochs = 5\n\n"
            "[optimizer]\nname = sgd\nweight_decay = 1e-04\nmomentum = 0.9\n\n"
            "[dataset]\nname = images\nworkers = 0\nprefetch = 10\nshape = none\nclasses = none\ntrain_examples = "
            "none\non_corrupt = fail\nmax_corrupt = 100\ncache = none\ncache_mib = 4096\ncache_image_size = 256\ntrain_split = "
            "train\nvalidation_split = validation\ncache_dir = \"\"\n"
            "data_dir = \"\"\norder = sorted\n"
            "mirror = none\n\n"
            "[augment]\nname = none\n\n"
            "[train]\nepochs = 250\nsteps = none\nearly_stop_steps = none\nbatch_size = 128\nrecompute = none\n"
            "memory_limit_mib = none\nloss_scale = none\n\n"
            "[eval]\nbatch_size = 128\nper_epoch = 4\nper_epoch_late = 16\nafter_first_step = false\n"
            "every_epochs = none\nexamples = none\n\n"
            "[backend]\nname = cpu\ncompute = f32\nthreads = 0\n\n"
            "[communicator]\nname = single\n\n"
            "[checkpoint]\nevery_steps = none\nevery_epochs = 10\nkeep = 3\nbest = true\n\n"
            "[metrics]\ntensorboard = true\nevery_steps = 1\nbounds = false\ntags = grouped\n");
}

}  // namespace
}  // namespace qfw::testing
