#include "inspect/stash.h"

#include <gmock/gmock.h>

#include <set>

#include "inspect/explanation.h"
#include "inspect/layer_groups.h"
#include "micro.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;

/// y = relu(x w), z = y v: the gradients of v and of relu need y, that of w needs x, which is fed.
TEST(Stash, IsWhatIsWrittenBeforeTheLastForwardProductAndReadAfterIt) {
  class Planned final : public Executable {
   public:
    explicit Planned(std::vector<int> nodes) {
      for (const int node : nodes) tasks_.push_back({.kind = "task", .implementation = {}, .nodes = {node}});
    }
    void run(Step, std::span<const HostView>, std::span<const HostTensor>) override {}
    void profile(bool) override {}
    std::vector<Task> tasks() const override { return tasks_; }
    std::span<const Interval> intervals() const override { return {}; }
    std::int64_t arena_bytes() const override { return 0; }
    std::vector<Held> held() const override { return held_; }
    std::vector<Held> held_;

   private:
    std::vector<Task> tasks_;
  };
  GraphBuilder g({});
  const Value x = g.input("x", {{8, 4}}), w = g.parameter("w", {4, 4}, Init::zeros());
  const Value product = [&] {
    const auto scope = g.scope("first");
    return dense(x, w);
  }();
  const Value y = relu(product);
  const Value z = [&] {
    const auto scope = g.scope("second");
    return dense(y, w);
  }();
  const Value gradient = dense(z, transpose(w, {0, 1})), masked = gradient * y;
  Graph graph = g.graph();
  for (const auto& [path, value] : {std::pair{"first", product}, {"second", z}}) {
    QuantizedSite& site = graph.sites.emplace_back();
    site.path = path;
    site.matmul = {value.node(), 0};
  }
  Planned planned({product.node(), y.node(), z.node(), gradient.node(), masked.node()});
  const auto hold = [&](Value value, int first, int last) { planned.held_.push_back({{value.node(), 0}, 128, first, last}); };
  hold(product, 0, 1);   // dead before the last product
  hold(y, 1, 4);         // kept
  hold(z, 2, 3);         // the last product itself
  hold(gradient, 3, 4);  // of the backward pass
  const Stash stash = stash_of(graph, planned);
  ASSERT_EQ(stash.rows.size(), 2u);
  EXPECT_EQ(stash.rows[0].op, "relu");
  EXPECT_EQ(stash.rows[0].layer, root_scope);
  EXPECT_EQ(stash.rows[1].layer, "second");
  EXPECT_EQ(stash.bytes(), 2 * 8 * 4 * 4);
  graph.training = false;
  EXPECT_THAT(stash_of(graph, planned).rows, IsEmpty()) << "nothing goes backward";
}

TEST(Stash, OfARecipeIsOfItsLayersAndPartOfTheArena) {
  const test::TemporaryFolder folder;
  Session session(test::micro_recipe(folder.path()), Session::Data::required);
  const Explanation explanation = explain_compiled(session);
  ASSERT_FALSE(explanation.stash.rows.empty());
  EXPECT_LE(explanation.stash.bytes(), explanation.arena_bytes);
  EXPECT_GT(explanation.stash.bytes(), explanation.arena_bytes / 3);
  std::set<std::string> ops;
  for (const Stash::Row& row : explanation.stash.rows) {
    EXPECT_EQ(row.type.shape.count() > 0, true);
    ops.insert(row.op);
  }
  // Of a batch of 8: what init_conv gives is needed by its normalisation's gradient.
  const std::int64_t image = std::int64_t{8} * 16 * 16 * 4 * 4;
  EXPECT_GE(explanation.stash.bytes(), image);
  const auto few = by_layer(explanation.stash, 1), all = by_layer(explanation.stash, 100);
  for (const auto* rows : {&few, &all}) {
    std::int64_t sum = 0, values = 0;
    for (const LayerStash& row : *rows) {
      sum += row.all();
      values += row.values;
    }
    EXPECT_EQ(sum, explanation.stash.bytes());
    EXPECT_EQ(values, static_cast<std::int64_t>(explanation.stash.rows.size()));
  }
  EXPECT_THAT(layers_of(all), Contains("stage1/block0/conv_1"));
  EXPECT_EQ(explanation.parameter_bytes, explanation.optimizer_bytes) << "momentum";
  EXPECT_EQ(explanation.parameter_bytes, explanation.parameters * 4);
}

TEST(Stash, IsEmptyWhereTheBackendDoesNotTell) {
  const test::TemporaryFolder folder;
  Session session(test::micro_recipe(folder.path(), {"backend.name=reference"}), Session::Data::required);
  EXPECT_THAT(explain_compiled(session).stash.rows, IsEmpty());
}

}  // namespace
}  // namespace qfw
