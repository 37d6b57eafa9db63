#include <gtest/gtest.h>

#include <cmath>
#include <exception>
#include <thread>

#include "aqt.h"
#include "parity/backends.h"
#include "parity/tolerances.h"
#include "support/evaluate.h"
#include "support/golden.h"

namespace qfw::aqt {
namespace {

using testing::Evaluator;

std::optional<double> number_or_none(const golden::Group& group, const char* name) {
  if (group.is_none(name)) return std::nullopt;
  return group.number(name);
}

Options options_of(const golden::Group& group) {
  Options o;
  o.bounds = "auto";
  o.granularity = group.text("hyper_granularity");
  o.initial_bound = group.number("hyper_initial_bound");
  o.stddev_coeff = group.number("hyper_stddev_coeff");
  o.absdev_coeff = group.number("hyper_absdev_coeff");
  o.mix_coeff = group.number("hyper_mix_coeff");
  o.reset_stats = group.flag("hyper_reset_stats");
  o.use_cams = group.flag("hyper_use_cams");
  o.exclude_zeros = group.flag("hyper_exclude_zeros");
  o.use_mean_of_max = group.flag("hyper_use_mean_of_max");
  o.use_old_code = group.flag("hyper_use_old_code");
  o.ema_coeff = number_or_none(group, "hyper_ema_coeff");
  o.fixed_bound = number_or_none(group, "hyper_fixed_bound");
  o.cams_coeff = number_or_none(group, "hyper_cams_coeff"),
  o.cams_stddev_coeff = number_or_none(group, "hyper_cams_stddev_coeff");
  o.mean_of_max_coeff = number_or_none(group, "hyper_mean_of_max_coeff");
  return o;
}

bool uses_deviation(const Options& o) { return o.use_old_code ? o.use_cams : o.cams_coeff && o.cams_stddev_coeff; }

std::vector<float> slice(const golden::Array& array, std::size_t index, std::size_t of) {
  const std::size_t size = array.values.size() / of;
  return {array.values.begin() + static_cast<std::ptrdiff_t>(index * size),
          array.values.begin() + static_cast<std::ptrdiff_t>((index + 1) * size)};
}

/// `magnitudes`: relative to these where they are larger, for sums whose terms cancel.
void expect_close(const std::vector<float>& found, const std::vector<float>& expected, double tolerance,
                  const std::string& what, const std::vector<float>& magnitudes = {}) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float of = std::max({1e-3f, std::abs(expected[i]), magnitudes.empty() ? 0 : magnitudes[i]});
    ASSERT_NEAR(found[i], expected[i], tolerance * of) << what << "[" << i << "]";
  }
}

/// One case: a module fed T steps, on as many replicas as it has.
class Module {
 public:
  Module(const golden::Group& group, const std::string& backend)
      : group_(group),
        options_(options_of(group)),
        quantizer_(options_),
        x_(group.floats("x")),
        replica_count_(group.has_attribute("replicas") ? static_cast<int>(group.number("replicas")) : 1),
        replicas_(testing::make<Communicator>("threads", {{"replicas", std::int64_t{replica_count_}}})) {
    const int lead = replica_count_ > 1 ? 2 : 1;
    shape_ = Shape(std::span(x_.shape.begin() + lead, x_.shape.end()));
    for (int rank = 0; rank < replica_count_; ++rank) {
      evaluators_.push_back(std::make_unique<Evaluator>(backend, &replicas_->local(rank)));
    }
  }

  void check() {
    const auto train = group_.integers("train"), update = group_.integers("update_bounds"),
               quantizes = group_.integers("quantizes");
    for (std::size_t t = 0; t < train.size(); ++t) {
      const Phase phase = (quantizes[t] != 0 ? Aqt::activations : 0u) | (train[t] != 0 ? Aqt::collecting : 0u) |
                          (update[t] != 0 ? Aqt::updating_bounds : 0u);
      const auto scales = step(t, train[t] != 0, phase);
      for (int rank = 0; rank < replica_count_; ++rank) {
        check_state(t, train.size(), *evaluators_[static_cast<std::size_t>(rank)]);
        if (quantizes[t] != 0) check_scale(t, train.size(), scales[static_cast<std::size_t>(rank)]);
        if (::testing::Test::HasFatalFailure()) return;
      }
    }
  }

 private:
  /// The scale it quantizes with, of each replica.
  std::vector<std::vector<float>> step(std::size_t t, bool training, Phase phase) {
    std::vector<std::vector<float>> scales(static_cast<std::size_t>(replica_count_));
    std::vector<std::exception_ptr> errors(scales.size());
    const auto run = [&](std::size_t rank) {
      try {
        GraphBuilder g({.training = training});
        const auto scope = g.scope("src");
        const MatmulSite site{"layer", Dense{}, {shape_, DType::f32}, {}, group_.text("inputs") == "signed"};
        const Operand operand = quantizer_.quantize(g, site, Role::src, g.input("x", {shape_, DType::f32}), phase);
        g.fetch("scale", operand.scale);
        g.fetch("codes", operand.codes);
        Evaluator::Values first;
        if (t == 0) first = {{"src/bounds", group_.floats("initial_bounds").values}};
        const auto x = slice(x_, t * scales.size() + rank, static_cast<std::size_t>(x_.shape[0]) * scales.size());
        scales[rank] = evaluators_[rank]->run(g, first, {{"x", x}}).at("scale");
      } catch (...) {
        errors[rank] = std::current_exception();
      }
    };
    std::vector<std::thread> threads;
    for (std::size_t rank = 1; rank < scales.size(); ++rank) threads.emplace_back(run, rank);
    run(0);
    for (std::thread& thread : threads) thread.join();
    for (const auto& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    return scales;
  }

  void check_state(std::size_t t, std::size_t steps, const Evaluator& evaluator) {
    const std::map<std::string, const char*> names{{"src/mean", "mean"},
                                                   {"src/mean_abs", "mean_abs"},
                                                   {"src/mean_sq", "mean_sq"},
                                                   {"src/mean_batch_min", "mean_batch_minimum"},
                                                   {"src/mean_batch_max", "mean_batch_maximum"},
                                                   {"src/n", "n"},
                                                   {"src/bounds", "bounds"}};
    for (const auto& [ours, theirs] : names) {
      const double tolerance =
          ours == "src/bounds" && uses_deviation(options_) ? parity::deviation_bounds : parity::running_statistics;
      expect_close(evaluator.read(ours), slice(group_.floats(theirs), t, steps), tolerance,
                   group_.name() + " " + group_.text("label") + ", step " + std::to_string(t) + ", " + theirs,
                   ours == "src/mean" ? slice(group_.floats("mean_abs"), t, steps) : std::vector<float>());
      if (::testing::Test::HasFatalFailure()) return;
    }
  }

  void check_scale(std::size_t t, std::size_t steps, const std::vector<float>& scale) {
    const auto bounds = slice(group_.floats("returned_bounds"), t, steps);
    const float top = group_.text("inputs") == "signed" ? 127 : 256;
    ASSERT_EQ(scale.size(), bounds.size());
    for (std::size_t i = 0; i < scale.size(); ++i) {
      const double expected = top / (bounds[i] + 0x1p-23);
      ASSERT_NEAR(scale[i], expected,
                  2 * (uses_deviation(options_) ? parity::deviation_bounds : parity::running_statistics) * expected)
          << group_.name() << " " << group_.text("label") << ", step " << t << ", scale";
    }
  }

  const golden::Group& group_;
  Options options_;
  Aqt quantizer_;
  golden::Array x_;
  int replica_count_;
  std::unique_ptr<Communicator> replicas_;
  Shape shape_;
  std::vector<std::unique_ptr<Evaluator>> evaluators_;
};

class GetBoundsCases : public parity::OnEachBackend {};
QFW_ON_EACH_BACKEND(GetBoundsCases);

TEST_P(GetBoundsCases, agree_with_the_reference) {
  const auto cases = golden::Group::open("get_bounds.h5").cases();
  ASSERT_FALSE(cases.empty());
  for (const golden::Group& group : cases) {
    Module(group, GetParam()).check();
    if (HasFatalFailure()) return;
  }
}

}  // namespace
}  // namespace qfw::aqt
