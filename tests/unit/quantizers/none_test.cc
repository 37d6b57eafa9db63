#include <gtest/gtest.h>

#include <limits>

#include "qfw/quantizer.h"
#include "support/evaluate.h"

namespace qfw {
namespace {

using testing::catalog;
using testing::make;

TEST(None, quantizes_nothing_whatever_else_is_set) {
  const auto none = make<Quantizer>(
      "none", {{"bounds", std::string("auto")}, {"weight_prec", std::int64_t{4}}, {"act_prec", std::int64_t{4}}});
  const Clock late{.step = 10000, .epoch = 1000, .steps_per_epoch = 10, .total_steps = 20000};
  EXPECT_EQ(none->phase(late), 0u);
  EXPECT_EQ(none->phase_name(0), "float");
  EXPECT_EQ(none->next_phase_change(late), std::numeric_limits<std::int64_t>::max());
  EXPECT_TRUE(none->observed().empty());
  GraphBuilder g({.training = true});
  const TensorType src{{2, 3}, DType::f32}, weights{{3, 4}, DType::f32};
  const Value x = g.input("x", src), w = g.input("w", weights);
  const auto [a, b] = none->quantize_both(g, {"dense", Dense{}, src, weights, true}, x, w, 0, true);
  EXPECT_FALSE(a.grid || b.grid);
  EXPECT_EQ(a.codes.node(), x.node());
  EXPECT_EQ(b.codes.node(), w.node());
  EXPECT_TRUE(g.graph().variables.empty());
}

TEST(None, comes_from_a_library_of_its_own) {
  for (const Catalog::Entry& entry : catalog().entries()) {
    if (entry.kind == "quantizer" && entry.name == "none") {
      EXPECT_EQ(entry.file.filename(), "libqfw_quantizer_none.so");
    }
  }
}

/// So that a recipe of theirs becomes one of floats by a single line, its values are checked as before and mean nothing.
TEST(None, takes_the_options_of_its_siblings_and_uses_none) {
  const auto& options = catalog().get<Quantizer>("none").options;
  const auto& siblings = catalog().get<Quantizer>("weights_only").options;
  ASSERT_EQ(options.size(), siblings.size());
  for (std::size_t i = 0; i < options.size(); ++i) {
    const Option &ours = options[i], &theirs = siblings[i];
    EXPECT_EQ(ours.name, theirs.name);
    EXPECT_EQ(ours.type, theirs.type) << ours.name;
    EXPECT_EQ(ours.nullable, theirs.nullable) << ours.name;
    EXPECT_EQ(ours.default_value, theirs.default_value) << ours.name;
    EXPECT_EQ(ours.min, theirs.min) << ours.name;
    EXPECT_EQ(ours.max, theirs.max) << ours.name;
    EXPECT_EQ(ours.above, theirs.above) << ours.name;
    EXPECT_EQ(ours.choices, theirs.choices) << ours.name;
    EXPECT_EQ(ours.or_number, theirs.or_number) << ours.name;
    EXPECT_TRUE(ours.unused) << ours.name;
    EXPECT_FALSE(theirs.unused) << ours.name;
  }
}

}  // namespace
}  // namespace qfw
