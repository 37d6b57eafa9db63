#include "passes/recompute.h"

#include <gmock/gmock.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "inspect/explanation.h"
#include "io/checkpoint_folder.h"
#include "micro.h"
#include "run/trainer.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
using Bytes = std::vector<std::byte>;

/// All variables at the end of a run.
std::map<std::string, Bytes> trained(std::vector<std::string> overrides) {
  const test::TemporaryFolder folder;
  const Recipe recipe = test::micro_recipe(folder.path(), std::move(overrides));
  EXPECT_EQ(Trainer(recipe).run(), Trainer::Outcome::finished);
  const auto checkpoint = CheckpointFolder(folder.path() / "r" / "checkpoints").newest();
  std::map<std::string, Bytes> values;
  for (const CheckpointVariable& variable : checkpoint->variables()) {
    Bytes& bytes = values[variable.name];
    bytes.resize(variable.type.bytes());
    checkpoint->read(variable.name, {variable.type, bytes});
  }
  return values;
}

class RecomputedRun : public ::testing::TestWithParam<std::vector<std::string>> {};

TEST_P(RecomputedRun, EndsWithTheSameBits) {
  const auto with = [&](const std::string& option) {
    std::vector<std::string> overrides = GetParam();
    overrides.push_back("train.batch_size=16");
    overrides.push_back("model.stages=2,2");
    overrides.push_back("quantizer.activation_bound_start_step=1");
    overrides.push_back(option);
    return overrides;
  };
  const auto expected = trained(with("train.recompute=none"));
  for (const std::string how : {"elementwise", "integer", "all", "auto"}) {
    EXPECT_EQ(trained(with("train.recompute=" + how)), expected) << how;
  }
}

const std::vector<std::string> all_modes[] = {
    {"quantizer.name=none"},
    {"quantizer.name=none", "model.num_filters=32", "backend.winograd=true"},
    {"quantizer.name=none", "backend.compute=bf16"},
    {"quantizer.arithmetic=fake_quant"},
    {"quantizer.arithmetic=integer"},
    {"quantizer.arithmetic=integer", "quantizer.weight_prec=8", "quantizer.act_prec=8", "backend.compute=bf16"},
    {"quantizer.arithmetic=integer", "quantizer.backward=int8"},
    {"quantizer.arithmetic=integer", "communicator.name=threads", "communicator.replicas=2"}};
INSTANTIATE_TEST_SUITE_P(Modes, RecomputedRun, ::testing::ValuesIn(all_modes));

Explanation explained(const test::TemporaryFolder& folder, std::vector<std::string> overrides) {
  overrides.insert(overrides.begin(), {"quantizer.arithmetic=integer", "quantizer.activation_bound_start_step=0",
                                       "model.stages=2,2", "dataset.train_examples=512"});
  Session session(test::micro_recipe(folder.path(), std::move(overrides)), Session::Data::required);
  return explain_compiled(session);
}

TEST(Recomputed, IsExplained) {
  const test::TemporaryFolder folder;
  const Explanation none = explained(folder, {"train.batch_size=16"});
  EXPECT_EQ(none.recompute, Recompute::none);
  EXPECT_TRUE(none.stash.again.empty());
  std::int64_t last = none.arena_bytes;
  for (const std::string how : {"elementwise", "integer"}) {
    const Explanation some = explained(folder, {"train.batch_size=16", "train.recompute=" + how});
    EXPECT_EQ(some.arena_without, none.arena_bytes);
    EXPECT_EQ(some.stash_without, none.stash.bytes());
    EXPECT_LT(some.stash.bytes(), none.stash.bytes()) << how;
    EXPECT_LT(some.arena_bytes, last) << how;
    last = some.arena_bytes;
    std::set<std::string> ops;
    for (const Stash::Row& row : some.stash.again) ops.insert(row.op);
    EXPECT_EQ(ops.contains("conv2d"), how == "integer");
    std::int64_t again = 0;
    for (const LayerStash& row : by_layer(some.stash, 100)) again += row.again;
    EXPECT_GT(again, 0);
  }
}

TEST(Recomputed, AutoTakesAsLittleAsFitsTheLimit) {
  const test::TemporaryFolder folder;
  const std::string batch = "train.batch_size=512";
  std::vector<std::int64_t> needed;
  for (const std::string how : {"none", "elementwise", "integer"}) {
    const Explanation made = explained(folder, {batch, "train.recompute=" + how});
    needed.push_back(made.arena_bytes + made.variable_bytes());
  }
  const auto chosen = [&](std::int64_t bytes) {
    const std::string limit = "train.memory_limit_mib=" + std::to_string((bytes >> 20) + 1);
    return explained(folder, {batch, "train.recompute=auto", limit});
  };
  EXPECT_EQ(chosen(needed[0]).recompute, Recompute::none);
  EXPECT_EQ(chosen(needed[1]).recompute, Recompute::elementwise);
  const Explanation least = chosen(needed[2]);
  EXPECT_EQ(least.recompute, Recompute::integer);
  EXPECT_LE(least.arena_bytes + least.variable_bytes(), ((needed[2] >> 20) + 1) << 20);
  try {
    chosen(0);
    FAIL() << "1 MiB is not enough";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("more than train.memory_limit_mib = 1"));
  }
}

}  // namespace
}  // namespace qfw
