#include "interchange/hparams.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>

#include "qfw/error.h"
#include "support/evaluate.h"
#include "support/golden.h"

namespace qfw {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using ::testing::HasSubstr;

fs::path folder() { return golden::folder() / "hparams"; }

std::string read(const fs::path& file) {
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + file.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// Where two JSON values differ, as far as 5 and 5.0 are the same; empty: nowhere.
std::string difference(const json::value& a, const json::value& b, const std::string& at = "") {
  if (a.is_number() && b.is_number()) return a.to_number<double>() == b.to_number<double>() ? "" : at;
  if (a.kind() != b.kind()) return at;
  if (a.is_object()) {
    for (const auto& [key, value] : a.get_object()) {
      const json::value* other = b.get_object().if_contains(key);
      if (other == nullptr) return fmt::format("{}.{} is too many", at, std::string_view(key));
      if (const auto found = difference(value, *other, at + "." + std::string(key)); !found.empty()) return found;
    }
    for (const auto& [key, value] : b.get_object()) {
      if (!a.get_object().contains(key)) return fmt::format("{}.{} is missing", at, std::string_view(key));
    }
    return "";
  }
  if (a.is_array()) {
    if (a.get_array().size() != b.get_array().size()) return at + " in length";
    for (std::size_t i = 0; i < a.get_array().size(); ++i) {
      if (const auto found = difference(a.get_array()[i], b.get_array()[i], fmt::format("{}[{}]", at, i)); !found.empty())
        return found;
    }
    return "";
  }
  return a == b ? "" : at;
}

const std::vector<std::string>& image_options() {
  static const std::vector<std::string> options = {"dataset.name=elsewhere", "dataset.shape=224,224,3", "dataset.classes=1000",
                                                   "dataset.train_examples=1281167"};
  return options;
}

LoadOptions without_data() {
  LoadOptions options;
  options.dataset_optional = true;
  return options;
}

Recipe recipe_from(const fs::path& file) {
  auto overrides = image_options();
  overrides.push_back("base_config_filename=" + file.string());
  return Recipe::parse("", "test", overrides, testing::catalog(), without_data());
}

json::value written(const Recipe& recipe, const std::string& form) {
  const auto format = testing::make<Format>("aqt");
  return json::parse(format->from_recipe(format_run(Session(recipe, Session::Data::optional)), form));
}

struct Named {
  std::string name;
  bool resnet;
};
std::vector<Named> index() {
  std::vector<Named> all;
  const json::value file = json::parse(read(folder() / "index.json"));
  for (const json::value& entry : file.as_array()) {
    all.push_back({std::string(entry.at("name").as_string()), entry.at("model").as_string() != "other"});
  }
  return all;
}

TEST(Hyperparameters, both_forms_load_and_are_written_back) {
  int compared = 0;
  for (const Named& named : index()) {
    if (!named.resnet) continue;
    const auto effective = json::parse(read(folder() / (named.name + ".hparams.json")));
    const auto config = json::parse(read(folder() / (named.name + ".config.json")));
    for (const char* form : {"hparams", "config"}) {
      const Recipe recipe = recipe_from(folder() / fmt::format("{}.{}.json", named.name, form));
      EXPECT_EQ(difference(written(recipe, "hparams"), effective), "") << named.name << ", from its " << form;
      EXPECT_EQ(difference(written(recipe, "config"), config), "") << named.name << ", from its " << form;
    }
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

TEST(Hyperparameters, of_both_forms_resolve_to_the_same_recipe) {
  for (const Named& named : index()) {
    if (!named.resnet) continue;
    EXPECT_EQ(recipe_from(folder() / (named.name + ".config.json")).text(),
              recipe_from(folder() / (named.name + ".hparams.json")).text())
        << named.name;
  }
}

TEST(Hyperparameters, of_other_models_are_refused_by_the_name_of_what_they_need) {
  for (const Named& named : index()) {
    if (named.resnet) continue;
    for (const char* form : {"hparams", "config"}) {
      try {
        recipe_from(folder() / fmt::format("{}.{}.json", named.name, form));
        ADD_FAILURE() << named.name << " was accepted";
      } catch (const Error& error) {
        EXPECT_EQ(error.category(), Error::Category::usage);
        EXPECT_THAT(error.what(),
                    ::testing::AnyOf(HasSubstr("act_function"), HasSubstr("teacher_model"), HasSubstr("shortcut_"),
                                     HasSubstr("se_ratio"), HasSubstr("init_group"), HasSubstr("sparsity")))
            << named.name;
      }
    }
  }
}

/// The tree's recipes are compared with the tree's files, whatever folder is chosen.
fs::path published() { return fs::path(QFW_SOURCE_DIR) / "tests" / "golden" / "hparams"; }

/// recipes/imagenet/NAME.ini against NAME or paper_NAME, in all but the description.
TEST(Hyperparameters, of_the_recipes_are_those_of_the_published_configurations) {
  int compared = 0;
  for (const auto& entry : fs::directory_iterator(fs::path(QFW_SOURCE_DIR) / "recipes" / "imagenet")) {
    const std::string stem = entry.path().stem().string();
    const Recipe recipe = Recipe::load(entry.path(), {}, testing::catalog(), without_data());
    auto ours = written(recipe, "hparams");
    for (const std::string& name : {stem, "paper_" + stem}) {
      if (!fs::exists(published() / (name + ".hparams.json"))) continue;
      auto theirs = json::parse(read(published() / (name + ".hparams.json")));
      ours.as_object().erase("metadata");
      theirs.as_object().erase("metadata");
      EXPECT_EQ(difference(ours, theirs), "") << stem;
      ++compared;
    }
  }
  EXPECT_GT(compared, 0);
}

json::value generated(const std::vector<std::pair<std::string, std::string>>& flags, const std::string& form = "hparams") {
  return json::parse(testing::make<Format>("aqt")->generate(flags, form));
}

TEST(Hyperparameters, generated_from_flags_are_the_published_ones) {
  const std::map<std::string, std::vector<std::pair<std::string, std::string>>> known = {
      {"paper_resnet50_bfloat16", {}},
      {"resnet101_bfloat16", {{"model", "resnet101"}}},
      {"paper_resnet50_w4_a4_auto", {{"model", "resnet50"}, {"quant_target", "WEIGHTS_AND_AUTO_ACTS"}, {"prec", "4"}}},
      {"paper_resnet50_w4_a4_init8_dense8_auto",
       {{"quant_target", "WEIGHTS_AND_AUTO_ACTS"}, {"prec", "4"}, {"init_prec", "8"}, {"dense_prec", "8"}}},
      {"resnet50_w4_a4_init8_dense8_fixed",
       {{"quant_target", "weights_and_fixed_acts"}, {"prec", "4"}, {"init_prec", "8"}, {"dense_prec", "8"}}},
      {"resnet50_w4_a4_fixed",
       {{"quant_target", "WEIGHTS_AND_FIXED_ACTS"}, {"prec", "4"}, {"init_prec", "none"}, {"dense_prec", "none"}}},
      {"resnet50_w8_a8_fixed", {{"quant_target", "WEIGHTS_AND_FIXED_ACTS"}, {"prec", "8"}}},
      {"resnet50_w8", {{"quant_target", "WEIGHTS_ONLY"}, {"prec", "8"}}}};
  for (const auto& [name, flags] : known) {
    if (!fs::exists(published() / (name + ".hparams.json"))) continue;
    for (const char* form : {"hparams", "config"}) {
      EXPECT_EQ(difference(generated(flags, form), json::parse(read(published() / fmt::format("{}.{}.json", name, form)))), "")
          << name;
    }
  }
}

/// Every flag that stands for a field changes that field, and what is generated loads.
TEST(Hyperparameters, every_flag_has_its_field) {
  const std::string file = ::testing::TempDir() + "qfw_generated.json";
  const auto format = testing::make<Format>("aqt");
  const std::vector<std::pair<std::string, std::string>> base = {{"quant_target", "WEIGHTS_AND_AUTO_ACTS"}, {"prec", "4"}};
  const std::map<std::string, std::string> values = {{"model", "resnet29"},
                                                     {"quant_target", "WEIGHTS_ONLY"},
                                                     {"weight_quant_granularity", "per_tensor"},
                                                     {"granularity", "per_tensor"},
                                                     {"reset_stats", "true"},
                                                     {"use_cams", "true"},
                                                     {"exclude_zeros", "false"},
                                                     {"use_mean_of_max", "false"},
                                                     {"use_old_code", "false"},
                                                     {"lr_scheduler", "linear"},
                                                     {"optimizer", "adam"},
                                                     {"hyper_str", "mine"},
                                                     {"stddev_coeff", "2"},
                                                     {"absdev_coeff", "2"},
                                                     {"mix_coeff", "0.5"},
                                                     {"ema_coeff", "0.5"},
                                                     {"momentum", "0.5"},
                                                     {"adam_beta1", "0.5"},
                                                     {"adam_beta2", "0.5"}};
  for (const Format::Flag& flag : format->flags()) {
    auto flags = base;
    const auto chosen = values.find(flag.name);
    const bool fixed = flag.name.ends_with("fixed_act_bound");
    const std::string other = flag.name.ends_with("half_shift") ? "true" : flag.name.ends_with("quant_type") ? "aqt" : "3";
    if (fixed) flags[0].second = "WEIGHTS_AND_FIXED_ACTS";
    const auto before = generated(flags);
    std::erase_if(flags, [&](const auto& given) { return given.first == flag.name; });
    flags.emplace_back(flag.name, chosen != values.end() ? chosen->second : other);
    const auto after = generated(flags);
    EXPECT_NE(difference(before, after), "") << flag.name << " changes nothing";
    std::ofstream(file) << json::serialize(after);
    EXPECT_NO_THROW(recipe_from(file)) << flag.name;
  }
  EXPECT_THROW(generated({{"no_such_flag", "1"}}), Error);
  EXPECT_THROW(generated({{"quant_target", "WEIGHTS_ONLY"}, {"prec", "9"}}), Error);
  EXPECT_THROW(generated({{"quant_target", "SOME"}}), Error);
}

TEST(Hyperparameters, a_flag_without_effect_is_an_error) {
  const auto error = [](const std::vector<std::pair<std::string, std::string>>& flags) -> std::string {
    try {
      generated(flags);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_THAT(error({{"prec", "4"}}), HasSubstr("--prec=4 has no effect with --quant_target=NONE"));
  EXPECT_THAT(error({{"quant_target", "WEIGHTS_ONLY"}, {"act_prec", "4"}}), HasSubstr("--act_prec=4 has no effect"));
  EXPECT_THAT(error({{"quant_target", "WEIGHTS_ONLY"}, {"conv_2_act_prec", "4"}}),
              HasSubstr("--conv_2_act_prec=4 has no effect"));
  EXPECT_THAT(error({{"quant_target", "WEIGHTS_AND_FIXED_ACTS"}, {"ema_coeff", "0.5"}}), HasSubstr("--ema_coeff=0.5 has no"));
  EXPECT_EQ(error({{"quant_target", "WEIGHTS_AND_FIXED_ACTS"}, {"conv_2_prec", "2"}, {"conv_2_fixed_act_bound", "1"}}), "");
}

/// Flags of single layers hold for those and no others.
TEST(Hyperparameters, generated_for_single_layers) {
  const auto made = generated({{"quant_target", "WEIGHTS_AND_FIXED_ACTS"},
                               {"act_prec", "none"},
                               {"conv_2_act_prec", "4"},
                               {"conv_2_fixed_act_bound", "2.5"},
                               {"conv_proj_weight_prec", "1"},
                               {"dense_half_shift", "true"}});
  const auto& model = made.at("model_hparams");
  for (const json::value& block : model.at("residual_blocks").as_array()) {
    EXPECT_EQ(block.at("conv_2").at("quant_act").at("bounds").to_number<double>(), 2.5);
    EXPECT_EQ(block.at("conv_2").at("quant_act").at("prec").to_number<int>(), 4);
    EXPECT_EQ(block.at("conv_2").at("weight_prec").to_number<int>(), 8);
    EXPECT_TRUE(block.at("conv_1").at("quant_act").is_null());
    if (const auto& projection = block.at("conv_proj"); !projection.is_null()) {
      EXPECT_EQ(projection.at("weight_prec").to_number<int>(), 1);
    }
  }
  EXPECT_TRUE(model.at("dense_layer").at("weight_half_shift").as_bool());
  EXPECT_FALSE(model.at("conv_init").at("weight_half_shift").as_bool());
}

TEST(Hyperparameters, what_the_original_cannot_say_is_an_error) {
  const auto error = [&](std::vector<std::string> overrides) -> std::string {
    auto all = image_options();
    all.insert(all.end(), {"model.name=resnet", "quantizer.name=weights_and_auto_acts"});
    all.insert(all.end(), overrides.begin(), overrides.end());
    try {
      written(Recipe::parse("", "test", all, testing::catalog(), without_data()), "hparams");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(error({}), "");
  EXPECT_EQ(error({"quantizer.arithmetic=integer", "quantizer.statistics=until_frozen"}), "")
      << "how it is computed is not said";
  EXPECT_THAT(error({"quantizer.ste_ties=pass", "model.padding=torch", "optimizer.nesterov=false"}),
              ::testing::AllOf(HasSubstr("ste_ties = pass"), HasSubstr("model.padding = torch"),
                               HasSubstr("optimizer.nesterov = false")));
  EXPECT_THAT(error({"layer:dense.activation_bound_start_step=3"}),
              HasSubstr("activation_bound_start_step differs between layers"));
}

}  // namespace
}  // namespace qfw
