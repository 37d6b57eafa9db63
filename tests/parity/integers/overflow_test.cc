#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "passes/quantize.h"
#include "run/session.h"
#include "support/evaluate.h"
#include "support/files.h"

namespace qfw::parity {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

// What the op itself allows of any u8 and s8 codes: 9 * 7310 products of at most 255 * 128 fit 31 bits, 9 * 7311 do not.
constexpr int widest = 65793 / 9;
// The quantizer's codes stop at 127, so that its own bound is a little further away.
constexpr int beyond_the_bound = 66311 / 9 + 1;

std::unique_ptr<Session> session_of_width(int width, const std::string& quantizer) {
  LoadOptions load;
  load.dataset_optional = true;
  const std::string recipe = fmt::format(
      "[model]\nname = resnet\nstages = 1\nnum_filters = {}\n[dataset]\nname = nothing\nshape = 8,8,3\nclasses = "
      "2\ntrain_examples = 8\n"
      "[train]\nbatch_size = 1\n[eval]\nbatch_size = 1\n[backend]\nname = reference\n"
      "[quantizer]\nname = weights_and_fixed_acts\nbounds = 6\n{}",
      width, quantizer);
  return std::make_unique<Session>(Recipe::parse(recipe, "wide.ini", {}, testing::catalog(), load), Session::Data::optional);
}

TEST(Accumulator, OfTheWidestLayerThatFits) {
  const auto session = session_of_width(widest, "arithmetic = integer\nrequire_integer = true\n");
  const Graph graph = session->evaluation_graph_at(1);
  double largest = 0;
  for (const QuantizedSite& site : graph.sites) {
    EXPECT_TRUE(site.integer) << site.path << ": " << site.reason;
    largest = std::max(largest, largest_sum(site));
  }
  EXPECT_EQ(largest, 9.0 * widest * 255 * 127);
}

TEST(Accumulator, ThatCouldOverflowIsRefusedByTheLayersName) {
  const auto session = session_of_width(beyond_the_bound, "arithmetic = integer\n");
  for (const bool training : {false, true}) {
    const std::string message = test::message_of(
        Error::Category::graph, [&] { training ? session->training_graph_at(0) : session->evaluation_graph_at(1); });
    EXPECT_THAT(message,
                AllOf(HasSubstr("stage1/block0/conv_2"), HasSubstr("66312"), HasSubstr("32 bits"), HasSubstr("fake_quant")));
  }
}

TEST(Accumulator, OfOneChannelMoreThanFitsIsRefused) {
  const auto session = session_of_width(widest + 1, "arithmetic = integer\n");
  EXPECT_THAT(test::message_of(Error::Category::graph, [&] { session->evaluation_graph_at(1); }),
              AllOf(HasSubstr("stage1/block0/conv_2"), HasSubstr("65799"), HasSubstr("overflow")));
}

TEST(Accumulator, DoesNotConcernFloats) {
  const auto session = session_of_width(beyond_the_bound, "arithmetic = fake_quant\n");
  EXPECT_NO_THROW(session->evaluation_graph_at(1));
}

}  // namespace
}  // namespace qfw::parity
