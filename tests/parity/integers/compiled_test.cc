#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <sstream>

#include "parity/integers/network.h"

namespace qfw::parity {
namespace {

using ::testing::HasSubstr;

/// What the cpu backend prints of the programs it makes while this lives (QFW_DUMP=plan).
class Plans {
 public:
  Plans() : before_(std::clog.rdbuf(text_.rdbuf())) { setenv("QFW_DUMP", "plan", 1); }
  Plans(const Plans&) = delete;
  Plans& operator=(const Plans&) = delete;
  ~Plans() {
    unsetenv("QFW_DUMP");
    std::clog.rdbuf(before_);
  }

  /// Instructions of a kind that belong to the layer.
  int count(const std::string& kind, const std::string& path) const {
    std::istringstream lines(text_.str());
    int found = 0;
    for (std::string line; std::getline(lines, line);) {
      found += line.find(" " + kind + " [") != line.npos && line.ends_with(" " + path);
    }
    return found;
  }
  std::string text() const { return text_.str(); }

 private:
  std::ostringstream text_;
  std::streambuf* before_;
};

class Compiled : public ::testing::TestWithParam<std::string> {};

/// Not what the graph asks for, but what cpu made of it: one integer kernel a layer and step, and no float one.
TEST_P(Compiled, ToIntegerKernels) {
  for (const bool training : {true, false}) {
    SCOPED_TRACE(training ? "training" : "evaluation");
    const auto session = session_of(network(GetParam()), "cpu", 2);
    Plans plans;
    if (!training) logits_of(network(GetParam()), *session);
    const Graph& graph = training ? session->training(session->total_steps() - 1).graph
                                  : session->evaluation(session->total_steps()).graph;
    ASSERT_FALSE(graph.sites.empty());
    ASSERT_THAT(plans.text(), HasSubstr(training ? "cpu plan (training)" : "cpu plan (evaluation)"));
    for (const QuantizedSite& site : graph.sites) {
      const bool is_dense = site.op == Op::dense;
      EXPECT_EQ(plans.count(is_dense ? "dense integer" : "conv2d integer", site.path), 1) << site.path;
      // The gradients of a dense layer's two operands are dense products themselves, of floats.
      EXPECT_EQ(plans.count(is_dense ? "dense" : "conv2d forward", site.path), is_dense && training ? 2 : 0) << site.path;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Network, Compiled, ::testing::Values("odd_w8a8", "resnet29_w8a8_aqt", "resnet50_w4a4_8"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace qfw::parity
