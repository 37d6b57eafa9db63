#include <gmock/gmock.h>

#include "support.h"

namespace qfw::testing {
namespace {

/// Asked by the quantize pass for the signs of activations, it remembers what it was told.
struct Listening final : Quantizer {
  mutable std::vector<bool> is_signed;
  Operand quantize(GraphBuilder&, const MatmulSite& site, Role role, Value operand, Phase) const override {
    if (role == Role::src) is_signed.push_back(site.src_signed);
    return operand;
  }
};

std::vector<bool> signs_of(const std::function<Value(Value)>& body, std::optional<bool> stated = {}) {
  const Model model([&](GraphBuilder& g, Value x, std::int64_t classes) {
    return dense(flat(body(x)), g.parameter("kernel", {16, classes}, Init::zeros()), {.src_signed = stated});
  });
  const Listening quantizer;
  evaluation_graph(description(model, quantizer));
  return quantizer.is_signed;
}

using ::testing::ElementsAre;

TEST(Signs, AreProvenFromTheModelUnlessItStatesThem) {
  EXPECT_THAT(signs_of([](Value x) { return relu(x); }), ElementsAre(false));
  EXPECT_THAT(signs_of([](Value x) { return relu(x) + relu(-x); }), ElementsAre(false));
  EXPECT_THAT(signs_of([](Value x) { return x; }), ElementsAre(true));
  EXPECT_THAT(signs_of([](Value x) { return relu(x) + x; }), ElementsAre(true));
  EXPECT_THAT(signs_of([](Value x) { return x; }, false), ElementsAre(false));
  EXPECT_THAT(signs_of([](Value x) { return relu(x); }, true), ElementsAre(true));
}

/// 2^200 paths lead from the product back to the images.
TEST(Signs, OfALongResidualChainWithoutReluAreFoundInLinearTime) {
  const auto chain = [](Value x) {
    for (int i = 0; i < 200; ++i) x = x + x;
    return x;
  };
  EXPECT_THAT(signs_of(chain), ElementsAre(true));
  EXPECT_THAT(signs_of([&](Value x) { return chain(relu(x)); }), ElementsAre(false));
}

}  // namespace
}  // namespace qfw::testing
