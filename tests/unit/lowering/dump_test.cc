#include "qfw/lowering/dump.h"

#include <gtest/gtest.h>

#include <cstdlib>

namespace qfw::lowering {
namespace {

TEST(Dump, HasTheWordsOfAListAndNoneThatOneOfThemBeginsWith) {
  const auto dumped = [](const char* value, const char* word) {
    setenv("QFW_DUMP", value, 1);
    const bool is = is_dumped(word);
    unsetenv("QFW_DUMP");
    return is;
  };
  for (const char* value : {"plan", "graph,plan", "plan,code", "code,plan,groups", ",plan,"}) {
    EXPECT_TRUE(dumped(value, "plan")) << value;
  }
  for (const char* value : {"", ",", "plans", "aplan", "graph,plans", "plan2,code", "Plan", "plan code"}) {
    EXPECT_FALSE(dumped(value, "plan")) << value;
  }
  EXPECT_FALSE(is_dumped("plan"));
}

}  // namespace
}  // namespace qfw::lowering
