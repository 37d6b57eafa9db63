#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "interchange/foreign_weights.h"
#include "io/checkpoint.h"
#include "parity/tolerances.h"
#include "parity/traces/trace.h"
#include "qfw/error.h"
#include "support/evaluate.h"

namespace qfw::parity {
namespace {

class Weights : public ::testing::TestWithParam<std::string> {
 protected:
  using Run = parity::Run;  // not ::testing::Test's

  Trace trace_{GetParam()};
  std::unique_ptr<Format> format_ = testing::make<Format>("aqt");
  test::TemporaryFolder folder_;

  /// A copy: HDF5 lets no file be open twice in one process but in the same way.
  std::filesystem::path file() const {
    const auto copy = folder_.path() / trace_.file();
    std::filesystem::copy_file(golden::folder() / trace_.file(), copy, std::filesystem::copy_options::skip_existing);
    return copy;
  }
  /// The reference's state at the end, where its evaluation was made.
  std::string last() const { return fmt::format("/after_{}", trace_.steps()); }
  Values read(Run& run, const std::string& state) {
    return read_foreign_weights(file(), state, *format_, run.session().variables());
  }
};

TEST_P(Weights, import_and_evaluate_to_the_logits_of_the_reference) {
  const auto classes = static_cast<std::size_t>(trace_.classes());
  for (const char* backend : {"reference", "cpu"}) {
    Run run(trace_, {backend, "fake_quant"});
    const Values values = read(run, last());
    if (has_all_bounds(values, run.session().variables())) {
      CheckpointInfo info;
      info.warm_start = true;
      run.session().continue_from(info);
    }
    std::size_t written = 0;
    for (const Variable& variable : run.session().variables()) {
      const auto found = values.find(variable.name);
      if (found == values.end()) continue;
      run.session().write(variable.name, {variable.type, std::as_bytes(std::span(found->second))});
      ++written;
    }
    EXPECT_EQ(written, values.size());
    const auto logits = run.evaluate(trace_.steps()), expected = trace_.group().floats("eval/logits").values;
    ASSERT_EQ(logits.size(), expected.size());
    std::size_t close = 0;
    for (std::size_t image = 0; image < logits.size(); image += classes) {
      double largest = 0;
      for (std::size_t i = image; i < image + classes; ++i) {
        const double difference = std::abs(double{logits[i]} - expected[i]);
        if (!(difference <= largest)) largest = std::isnan(difference) ? INFINITY : difference;
      }
      EXPECT_LE(largest, loose::logits) << backend << ", image " << image / classes;
      close += largest <= tight::logits;
    }
    EXPECT_GE(static_cast<double>(close * classes), images_without_flips * static_cast<double>(logits.size()))
        << backend << ": too few images with logits within " << tight::logits;
  }
}

TEST_P(Weights, come_back_as_they_were) {
  Run run(trace_, {"reference", "fake_quant"});
  const auto variables = run.session().variables();
  for (const std::string& state : {std::string("/initial"), last()}) {
    const Values values = read(run, state);
    std::vector<CheckpointVariable> stored;
    for (const Variable& variable : variables) stored.push_back({variable.name, variable.type});
    const auto file = folder_.path() / "checkpoint.h5", exported = folder_.path() / "exported.h5";
    save_checkpoint(file, {}, stored, [&](std::string_view name, HostTensor to) {
      const auto found = values.find(name);
      if (found != values.end()) std::ranges::copy(std::as_bytes(std::span(found->second)), to.bytes.begin());
    });
    write_foreign_weights(exported, "somewhere", *format_, variables, Checkpoint(file));
    // What was written reads back under the same rules, and every data set of the reference's is there, the same.
    EXPECT_EQ(read_foreign_weights(exported, "/somewhere", *format_, variables), values);
    const auto ours = golden::Group::open_file(exported);
    std::size_t compared = 0;
    for (const Format::Tensor& tensor : format_->tensors(variables, {})) {
      const auto theirs = trace_.group().floats(state.substr(1) + "/" + tensor.path),
                 mine = ours.floats("somewhere/" + tensor.path);
      EXPECT_EQ(mine.shape, theirs.shape) << tensor.path;
      EXPECT_EQ(mine.values, theirs.values) << tensor.path;
      ++compared;
    }
    EXPECT_EQ(compared, values.size());
  }
}

TEST_P(Weights, that_do_not_fit_are_refused_by_name) {
  Run run(trace_, {"reference", "fake_quant"});
  const auto message = [&](const std::string& group, std::vector<Variable> variables) {
    return test::message_of(Error::Category::data, [&] { read_foreign_weights(file(), group, *format_, variables); });
  };
  EXPECT_NE(message("/no_such_state", run.session().variables()).find("/no_such_state"), std::string::npos);
  auto fewer = run.session().variables();
  std::erase_if(fewer, [](const Variable& variable) { return variable.name == "dense/bias"; });
  EXPECT_NE(message("/initial", fewer).find("no place for: params/DenseAqt_0/bias"), std::string::npos);
  auto others = run.session().variables();
  std::ranges::find(others, "dense/bias", &Variable::name)->type.shape = {trace_.classes() + 1};
  EXPECT_NE(message("/initial", others).find("params/DenseAqt_0/bias is "), std::string::npos);
  auto more = run.session().variables();
  Variable extra = *std::ranges::find(more, "dense/bias", &Variable::name);
  extra.name = "stage9/block0/conv_1/kernel";
  more.push_back(extra);
  EXPECT_NE(message("/initial", more).find("(for stage9/block0/conv_1/kernel)"), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(Reference, Weights, ::testing::ValuesIn(trace_files()), trace_test_name);

}  // namespace
}  // namespace qfw::parity
