#include <gmock/gmock.h>

#include <functional>

#include "passes/finish.h"
#include "qfw/builder.h"
#include "qfw/error.h"
#include "qfw/ops.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

/// %0 input x, %1 variable p, %2 their sum, %3 a constant tensor, %4 the sum with it; an update, a fetch.
Graph sound() {
  GraphBuilder g({.training = true});
  const auto scope = g.scope("layer");
  const Value x = g.input("x", {{2}, DType::f32}, true), p = g.parameter("p", {2}, Init::zeros());
  const Value sum = x + p;
  g.assign(p, sum);
  g.fetch("y", sum);
  Graph graph = finish(g.graph());
  graph.tensors.push_back({"layer/codes", {{2}, DType::f32}, std::make_shared<std::vector<std::byte>>(8)});
  graph.nodes.push_back(
      {.op = Op::tensor, .inputs = {}, .attributes = Slot{0}, .outputs = {{{2}, DType::f32}}, .path = "layer"});
  graph.nodes.push_back(
      {.op = Op::add, .inputs = {{2, 0}, {3, 0}}, .attributes = {}, .outputs = {{{2}, DType::f32}}, .path = "layer"});
  return graph;
}

struct Case {
  const char* name;
  std::function<void(Graph&)> spoil;
  std::string told;
};
void PrintTo(const Case& c, std::ostream* stream) { *stream << c.name; }

class Verify : public ::testing::TestWithParam<Case> {};

TEST(VerifySound, TakesWhatIsRight) {
  const Graph graph = sound();
  EXPECT_NO_THROW(verify(graph));
  EXPECT_EQ(to_string(graph),
            "%0 = input() {x} -> f32[2]  # layer\n"
            "%1 = variable() {#0} -> f32[2]  # layer/p\n"
            "%2 = add(%0, %1) -> f32[2]  # layer\n"
            "%3 = tensor() {layer/codes} -> f32[2]  # layer\n"
            "%4 = add(%2, %3) -> f32[2]  # layer\n"
            "update layer/p = %2\n"
            "fetch y = %2\n");
}

TEST_P(Verify, Refuses) {
  Graph graph = sound();
  GetParam().spoil(graph);
  try {
    verify(graph);
    ADD_FAILURE() << "taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.category(), Error::Category::graph);
    EXPECT_THAT(error.what(), StartsWith("[verify] "));
    EXPECT_THAT(error.what(), HasSubstr(GetParam().told));
  }
}

const Case cases[] = {
    {"order",
     [](Graph& g) {
       g.nodes[2].inputs[1] = {4, 0};
     },
     "add in layer layer uses %4.0, which does not come before it"},
    {"itself",
     [](Graph& g) {
       g.nodes[2].inputs[1] = {2, 0};
     },
     "uses %2.0, which does not come before it"},
    {"no_such_output",
     [](Graph& g) {
       g.nodes[2].inputs[1] = {1, 1};
     },
     "uses %1.1"},
    {"empty_use", [](Graph& g) { g.nodes[2].inputs[1] = {}; }, "uses %-1.0"},
    {"operands", [](Graph& g) { g.nodes[2].inputs.pop_back(); }, "takes 2 operands, was given 1"},
    {"attributes",
     [](Graph& g) {
       g.nodes[2].op = Op::reshape;
       g.nodes[2].inputs.pop_back();
     },
     "attributes of another op"},
    {"type", [](Graph& g) { g.nodes[2].outputs[0].shape = {3}; },
     "output 0 is f32[3], the shape rule says f32[2] (add in layer layer)"},
    {"outputs", [](Graph& g) { g.nodes[2].outputs.push_back({}); }, "2 outputs, 1 expected"},
    {"source_without_output", [](Graph& g) { g.nodes[0].outputs.clear(); }, "0 outputs, 1 expected (input in layer layer)"},
    {"input_slot", [](Graph& g) { g.nodes[0].attributes = Slot{1}; }, "names nothing that exists (input in layer layer)"},
    {"input_type", [](Graph& g) { g.inputs[0].type.dtype = DType::bf16; }, "its type is not the input's"},
    {"variable_slot", [](Graph& g) { g.nodes[1].attributes = Slot{-1}; },
     "names nothing that exists (variable in layer layer)"},
    {"variable_without_slot", [](Graph& g) { g.nodes[1].attributes = {}; }, "names nothing that exists"},
    {"variable_type", [](Graph& g) { g.variables[0].type.shape = {3}; }, "its type is not the variable's"},
    {"tensor_slot", [](Graph& g) { g.nodes[3].attributes = Slot{1}; }, "names nothing that exists (tensor in layer layer)"},
    {"tensor_type",
     [](Graph& g) {
       g.tensors[0].type = {{8}, DType::s8};
     },
     "its type is not the constant tensor's"},
    {"tensor_size", [](Graph& g) { g.tensors[0].bytes = std::make_shared<std::vector<std::byte>>(7); },
     "the constant tensor layer/codes is f32[2] and has 7 bytes, 8 expected"},
    {"tensor_without_bytes", [](Graph& g) { g.tensors[0].bytes = nullptr; }, "the constant tensor layer/codes has no bytes"},
    {"update_of_nothing", [](Graph& g) { g.updates[0].first = 1; }, "an update names variable #1, which does not exist"},
    {"update_type",
     [](Graph& g) {
       g.updates[0].second = {5, 0};
       g.nodes.push_back({.op = Op::step, .inputs = {}, .attributes = {}, .outputs = {{}}, .path = {}});
     },
     "layer/p is f32[2], its update f32[]"},
    {"update_use",
     [](Graph& g) {
       g.updates[0].second = {9, 0};
     },
     "the update of layer/p uses %9.0"},
    {"update_not_allowed", [](Graph& g) { g.may_update = false; }, "may not update anything and updates layer/p"},
    {"fetch_use", [](Graph& g) { g.fetches[0].use = {}; }, "the fetch \"y\" uses %-1.0"},
};
INSTANTIATE_TEST_SUITE_P(All, Verify, ::testing::ValuesIn(cases),
                         [](const auto& info) { return std::string(info.param.name); });

/// Updates are a matter of what a graph may do, not of the mode of its layers.
TEST(VerifySound, TakesUpdatesInEitherMode) {
  Graph graph = sound();
  graph.training = false;
  EXPECT_NO_THROW(verify(graph));
}

}  // namespace
}  // namespace qfw
