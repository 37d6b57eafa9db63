#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "aqt.h"
#include "qfw/error.h"
#include "support/aqt_phases.h"
#include "support/evaluate.h"

namespace qfw::aqt {
namespace {

using ::testing::HasSubstr;

TEST(Phases, statistics_stop_when_asked_and_no_later_step_uses_them) {
  Options options = automatic(5);
  EXPECT_TRUE(has(Aqt(options).phase(training(6)), Aqt::collecting));
  options.statistics = "until_frozen";
  EXPECT_TRUE(has(Aqt(options).phase(training(5)), Aqt::collecting));
  EXPECT_TRUE(has(Aqt(options).phase(training(5)), Aqt::updating_bounds));
  EXPECT_FALSE(has(Aqt(options).phase(training(6)), Aqt::collecting));
  options.activation_bound_update_freq = 3;
  EXPECT_TRUE(has(Aqt(options).phase(training(6)), Aqt::collecting));
}

TEST(Phases, activations_are_quantized_from_the_start_step_on) {
  const Aqt quantizer(automatic(5));
  EXPECT_FALSE(has(quantizer.phase(training(4)), Aqt::activations));
  EXPECT_TRUE(has(quantizer.phase(training(5)), Aqt::activations));
  EXPECT_TRUE(has(quantizer.phase(training(6)), Aqt::activations));
  EXPECT_FALSE(has(quantizer.phase(evaluation(0)), Aqt::activations));
  EXPECT_FALSE(has(quantizer.phase(evaluation(5)), Aqt::activations));
  EXPECT_TRUE(has(quantizer.phase(evaluation(6)), Aqt::activations));
  EXPECT_FALSE(has(quantizer.phase(evaluation(6)), Aqt::collecting));
  EXPECT_FALSE(has(quantizer.phase(evaluation(5)), Aqt::updating_bounds));
}

TEST(Phases, bounds_that_are_there_already_quantize_at_once) {
  Options with_bound = automatic(5);
  with_bound.initial_bound = 6;
  EXPECT_TRUE(has(Aqt(with_bound).phase(training(0)), Aqt::activations));
  EXPECT_TRUE(has(Aqt(with_bound).phase(evaluation(0)), Aqt::activations));
  Clock warm = training(0);
  warm.warm_start = true;
  EXPECT_TRUE(has(Aqt(automatic(5)).phase(warm), Aqt::activations));
  Options fixed;
  fixed.bounds = "6.0";
  EXPECT_EQ(Aqt(fixed).phase(training(0)), Aqt::conv_weights | Aqt::activations);
}

TEST(Phases, never_means_never) {
  const Aqt quantizer(automatic(-1, 2));
  for (std::int64_t step = 0; step < 30; ++step) {
    EXPECT_EQ(quantizer.phase(training(step)), Aqt::conv_weights | Aqt::collecting);
    EXPECT_EQ(quantizer.phase(evaluation(step)), Aqt::conv_weights + 0u);
  }
}

TEST(Phases, do_not_change_before_the_step_that_is_named) {
  std::vector<Options> all{automatic(5), automatic(-1, 2), automatic(0), automatic(7, 4), automatic(3, 1)};
  all.push_back(all[3]);
  all.back().statistics = "until_frozen";
  all.push_back(all[0]);
  all.back().statistics = "until_frozen";
  all.back().weight_quant_start_step = 3;
  for (const Options& options : all) {
    const Aqt quantizer(options);
    for (std::int64_t step = 0; step < 60; ++step) {
      const std::int64_t next = quantizer.next_phase_change(training(step));
      EXPECT_GT(next, step);
      for (std::int64_t later = step; later < std::min<std::int64_t>(next, 100); ++later) {
        EXPECT_EQ(quantizer.phase(training(later)), quantizer.phase(training(step))) << step << " to " << later;
      }
    }
  }
}

TEST(Phases, no_precision_means_no_statistics) {
  Options options = automatic(5);
  options.act_prec.reset();
  EXPECT_EQ(Aqt(options).phase(training(5)), Aqt::conv_weights + 0u);
}

TEST(Phases, names) {
  const Aqt quantizer(automatic(5));
  EXPECT_EQ(quantizer.phase_name(quantizer.phase(training(0))), "weights, collecting");
  EXPECT_EQ(quantizer.phase_name(quantizer.phase(training(5))), "weights, activations, updating bounds");
  EXPECT_EQ(quantizer.phase_name(quantizer.phase(training(6))), "weights, activations, collecting");
  EXPECT_EQ(quantizer.phase_name(quantizer.phase(evaluation(6))), "weights, activations");
  Options late;
  late.weight_quant_start_step = 1;
  EXPECT_EQ(Aqt(late).phase_name(0), "dense weights only");
}

TEST(Presets, are_one_class_with_their_own_bounds) {
  const auto value = [](const char* preset, std::string_view name) {
    for (const Option& option : qfw::testing::catalog().get<Quantizer>(preset).options) {
      if (option.name == name) return to_string(option.default_value);
    }
    return std::string("no such option");
  };
  EXPECT_EQ(value("weights_only", "bounds"), "none");
  EXPECT_EQ(value("weights_and_fixed_acts", "bounds"), "6");
  EXPECT_EQ(value("weights_and_auto_acts", "bounds"), "auto");
  EXPECT_EQ(value("weights_and_auto_acts", "weight_prec"), "8");
  EXPECT_EQ(value("weights_and_auto_acts", "activation_bound_start_step"), "7500");
}

TEST(Presets, observe_the_bounds_that_statistics_make) {
  const auto observed = [](const Options& options) {
    std::vector<std::string> all;
    for (const Quantizer::Observed& each : Aqt(options).observed()) all.push_back(each.variable + " as " + each.tag);
    return all;
  };
  EXPECT_EQ(observed(automatic(5)), std::vector<std::string>{"src/bounds as GetBounds_0/bounds"});
  Options options;
  options.bounds = "6";
  EXPECT_TRUE(observed(options).empty());
  options = automatic(5);
  options.act_prec.reset();
  EXPECT_TRUE(observed(options).empty()) << "it declares no bounds then";
}

TEST(Presets, say_what_their_variables_are_for) {
  const Aqt quantizer(automatic(5));
  GraphBuilder g({.training = true});
  const auto scope = g.scope("layer");
  const TensorType src{{2, 3}, DType::f32}, weights{{3, 4}, DType::f32};
  quantizer.quantize_both(g, {"layer", Dense{}, src, weights, true}, g.input("x", src), g.input("w", weights), 0, true);
  ASSERT_EQ(g.graph().variables.size(), 7u);
  for (const Variable& variable : g.graph().variables) {
    EXPECT_EQ(variable.role,
              variable.name == "layer/src/bounds" ? Variable::Role::operand_bounds : Variable::Role::operand_statistics)
        << variable.name;
  }
}

TEST(Options, refuses_what_makes_no_sense) {
  const auto error_of = [](const Options& options) -> std::string {
    try {
      Aqt quantizer(options);
    } catch (const Error& error) {
      return error.what();
    }
    return "no error";
  };
  EXPECT_THAT(error_of(automatic(-2)), HasSubstr("activation_bound_start_step is -2"));
  EXPECT_THAT(error_of(automatic(0, 0)), HasSubstr("activation_bound_update_freq is 0"));
  Options options;
  options.bounds = "six";
  EXPECT_THAT(error_of(options), HasSubstr("bounds is 'six'"));
  options.bounds = "-1";
  EXPECT_THAT(error_of(options), HasSubstr("bounds is '-1'"));
}

TEST(Options, fake_quant_with_int_is_for_dense_layers) {
  Options options;
  options.quant_type = "fake_quant_with_int";
  const Aqt quantizer(options);
  GraphBuilder g({.training = false});
  const TensorType src{{1, 4, 4, 2}, DType::f32}, weights{{1, 1, 2, 3}, DType::f32};
  const Value x = g.input("x", src), w = g.input("w", weights);
  try {
    quantizer.quantize_both(g, {"stage1/conv", Conv2d{}, src, weights, true}, x, w, Aqt::conv_weights, false);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("stage1/conv"));
    EXPECT_THAT(error.what(), HasSubstr("dense"));
  }
}

TEST(Phases, every_phase_declares_the_same_variables) {
  Options options;
  options.bounds = "auto";
  const Aqt quantizer(options);
  const auto names = [&](bool training, Phase phase) {
    GraphBuilder g({.training = training});
    const auto scope = g.scope("layer");
    const Shape src{2, 3}, weights{3, 4};
    quantizer.quantize_both(g, {"layer", Dense{}, {src, DType::f32}, {weights, DType::f32}, true},
                            g.input("x", {src, DType::f32}), g.input("w", {weights, DType::f32}), phase, true);
    std::vector<std::string> all;
    for (const Variable& variable : g.graph().variables) all.push_back(variable.name + " " + variable.type.str());
    return all;
  };
  const auto first = names(true, Aqt::collecting);
  EXPECT_EQ(first, (std::vector<std::string>{"layer/src/bounds f32[3]", "layer/src/n f32[]", "layer/src/mean f32[3]",
                                             "layer/src/mean_abs f32[3]", "layer/src/mean_sq f32[3]",
                                             "layer/src/mean_batch_min f32[3]", "layer/src/mean_batch_max f32[3]"}));
  EXPECT_EQ(names(true, Aqt::collecting | Aqt::updating_bounds | Aqt::activations), first);
  EXPECT_EQ(names(true, Aqt::collecting | Aqt::activations), first);
  EXPECT_EQ(names(false, 0), first);
  EXPECT_EQ(names(false, Aqt::activations), first);
}

}  // namespace
}  // namespace qfw::aqt
