#include "unit/cuda_emit/recipes.h"

#include <gtest/gtest.h>

#include "cuda/riding_text.h"
namespace qfw::cuda::testing {
namespace {

bool is_integer_product(const Graph& graph, const Node& node) {
  const bool product = node.op == Op::conv2d || node.op == Op::dense || node.op == Op::conv2d_grad_src;
  return product && !is_float(graph.type(node.inputs[0]).dtype);
}

struct Count {
  int products = 0, riding = 0, following = 0;
};

bool rides(const Graph& graph, const lowering::Step& step) {
  const lowering::Group& group = *step.group;
  const auto carried = static_cast<int>(std::ranges::find(group.inputs, Use{step.node, 0}) - group.inputs.begin());
  const std::int64_t columns = graph.nodes[step.node].outputs[0].shape.channels();
  std::string why;
  return on_tiles(lowering::program_of(graph, group), carried, columns, why).has_value();
}

Count count_of(const Graph& graph) {
  Count count;
  const lowering::StepList list = lowering::list_steps(graph, target(), true);
  for (const lowering::Step& step : list.steps) {
    if (step.node < 0 || !is_integer_product(graph, graph.nodes[step.node])) continue;
    ++count.products;
    if (step.group != nullptr) ++(rides(graph, step) ? count.riding : count.following);
  }
  return count;
}

/// Of the 54 integer products of ResNet50 all but the dense layer, whose depth blocks share out. In an evaluation a pass adds
/// two of them at the beginning of each of four stages: it rides on the later one.
TEST(Recipes, TheirGroupsRide) {
  for (const char* recipe : {"imagenet/resnet50_w8_a8_fixed.ini", "imagenet/resnet50_w4_a4_auto.ini"}) {
    for (const char* compute : {"bf16", "f32"}) {
      SCOPED_TRACE(recipe + std::string(" ") + compute);
      const Session session =
          session_of(recipe, {"train.batch_size=256", "eval.batch_size=256", std::string("backend.compute=") + compute});
      const std::int64_t last = session.total_steps() - 1;
      const Count training = count_of(session.prepared(session.training_graph_at(last)));
      const Count evaluation = count_of(frozen(session.prepared(session.evaluation_graph_at(last))));
      EXPECT_EQ(training.products, 54);
      EXPECT_EQ(training.riding, 53);
      EXPECT_EQ(training.following, 0);
      EXPECT_EQ(evaluation.products, 54);
      EXPECT_EQ(evaluation.riding, 48);
      EXPECT_EQ(evaluation.following, 1);
    }
  }
}

}  // namespace
}  // namespace qfw::cuda::testing
