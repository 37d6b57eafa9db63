#include "run/same_run.h"

#include <gmock/gmock.h>

#include "support/files.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::HasSubstr;

const std::vector<CheckpointVariable> stored = {{"dense/bias", {{10}, DType::f32}}, {"dense/kernel", {{8, 10}, DType::f32}}};

std::string refusal(const std::vector<CheckpointVariable>& wanted) {
  return test::message_of(Error::Category::usage,
                          [&] { check_same_variables(stored, wanted, "r/checkpoints/step_000000009.h5"); });
}

TEST(SameVariables, InAnyOrder) { check_same_variables(stored, {stored[1], stored[0]}, "x.h5"); }

TEST(SameVariables, AnotherShapeOrTypeIsRefused) {
  EXPECT_THAT(refusal({stored[0], {"dense/kernel", {{8, 5}, DType::f32}}}),
              AllOf(HasSubstr("f32[8, 10]"), HasSubstr("f32[8, 5]"), HasSubstr("step_000000009.h5"), HasSubstr("--run.dir")));
  EXPECT_THAT(refusal({stored[0], {"dense/kernel", {{8, 10}, DType::s32}}}), HasSubstr("s32[8, 10]"));
}

TEST(SameVariables, OneMoreOrFewerIsRefused) {
  EXPECT_THAT(refusal({stored[0]}), AllOf(HasSubstr("it has dense/kernel f32[8, 10]"), HasSubstr("asks for nothing")));
  EXPECT_THAT(refusal({stored[0], stored[1], {"dense/step", {{}, DType::f32}}}),
              AllOf(HasSubstr("it has nothing"), HasSubstr("asks for dense/step")));
}

}  // namespace
}  // namespace qfw
