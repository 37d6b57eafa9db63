#include "conformance/case.h"

#include <cmath>
#include <cstdlib>
#include <sstream>

#include "conformance/compare.h"
#include "conformance/runner.h"

namespace qfw::conformance {

Tolerance of_matmul(DType result, std::int64_t products) {
  const double sums = 4 * 0x1p-24 * std::sqrt(static_cast<double>(products));
  return result == DType::bf16 ? Tolerance{0x1p-7, sums} : Tolerance{0x1p-22, sums};
}

Tolerance of_arithmetic(DType result) { return result == DType::bf16 ? Tolerance{0x1p-7, 0x1p-10} : Tolerance{1e-6, 1e-6}; }

std::string word(const TensorType& type) {
  std::string text = name_of(type.dtype);
  for (int axis = 0; axis < type.shape.rank(); ++axis) text += (axis == 0 ? "_" : "x") + std::to_string(type.shape[axis]);
  return text;
}

std::vector<std::string> backends() {
  const char* chosen = std::getenv("QFW_CONFORMANCE_BACKENDS");
  std::istringstream list(chosen == nullptr ? "cpu" : chosen);
  std::vector<std::string> names;
  for (std::string name; std::getline(list, name, ',');) names.push_back(name);
  return names;
}

std::string name_of_parameter(const testing::TestParamInfo<Parameter>& info) {
  std::string name = std::get<0>(info.param) + "_" + std::get<1>(info.param).name;
  for (char& c : name) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  }
  return name;
}

void Conformance::agree() {
  const auto& [backend, one] = GetParam();
  for (const std::string& name : {backend, std::string("reference")}) {
    if (const std::string reason = missing(name); !reason.empty())
      GTEST_SKIP() << "backend " << name << " is not here: " << reason;
  }
  const auto* info = testing::UnitTest::GetInstance()->current_test_info();
  SCOPED_TRACE(std::string("to run this case alone: QFW_CONFORMANCE_BACKENDS=") + backend +
               " tests/bin/conformance --gtest_filter=" + info->test_suite_name() + "." + info->name());

  const Prepared prepared = prepare(one);
  Subject reference("reference", prepared.graph, one.replicas), subject(backend, prepared.graph, one.replicas);
  ASSERT_EQ(reference.unsupported(), "");
  if (one.optional && !subject.unsupported().empty()) return;
  ASSERT_EQ(subject.unsupported(), "");
  const Subject::Results expected = reference.run(prepared, one.steps), found = subject.run(prepared, one.steps);

  for (std::size_t i = 0; i < expected.fetches.size(); ++i) {
    const std::string& name = prepared.graph.fetches[i].name;
    if (i == 0 || !one.sparse) {
      EXPECT_EQ(triviality(expected.fetches[i], i == 0 ? one.least_levels : 2), "") << name << " proves nothing";
    }
    EXPECT_EQ(difference(found.fetches[i], expected.fetches[i], prepared.tolerances[i], one.by_norm), "") << name;
    EXPECT_TRUE(found.fetches[i].guards_are_intact()) << name << " was written outside its memory";
  }
  for (std::size_t i = 0; i < expected.variables.size(); ++i) {
    const std::string& name = prepared.graph.variables[i].name;
    EXPECT_EQ(difference(found.variables[i], expected.variables[i], one.forward, one.by_norm), "") << "variable " << name;
  }

  const Subject::Results again = subject.run(prepared, one.steps);
  for (std::size_t i = 0; i < found.fetches.size(); ++i) {
    EXPECT_EQ(change(found.fetches[i], again.fetches[i]), "")
        << prepared.graph.fetches[i].name << " differs between two equal runs";
  }
}

}  // namespace qfw::conformance
