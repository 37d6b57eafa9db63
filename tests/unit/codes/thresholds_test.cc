#include "thresholds.h"

#include <gmock/gmock.h>

#include <limits>

#include "qfw/denormals.h"
#include "support.h"
#include "support/interpret.h"

namespace qfw::codes {
namespace {

using namespace qfw::testing;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int32_t always = std::numeric_limits<std::int32_t>::min(), never = std::numeric_limits<std::int32_t>::max();

int code_by(const Thresholds& thresholds, const Levels& levels, std::size_t channel, std::int32_t sum) {
  int index = 0;
  for (int k = 0; k + 1 < levels.count(); ++k) {
    const auto at = static_cast<std::size_t>(k) + channel * static_cast<std::size_t>(levels.count() - 1);
    index += thresholds.direction[channel] * sum >= thresholds.at[at];
  }
  return levels.at(index);
}

/// Every sum that a product can have, told from its weights one by one.
std::vector<std::pair<std::int64_t, std::int64_t>> brute_range(const Graph& graph, const QuantizedSite& site) {
  const Node& matmul = graph.nodes[static_cast<std::size_t>(site.matmul.node)];
  const Node& weights = graph.nodes[static_cast<std::size_t>(matmul.inputs[1].node)];
  const auto& tensor = graph.tensors[static_cast<std::size_t>(weights.as<Slot>().index)];
  const auto codes = HostView(tensor.type, *tensor.bytes).as<std::int8_t>();
  const std::int64_t channels = tensor.type.shape.channels();
  const int factor = site.src.grid->halves() ? 2 : 1;
  std::vector<std::pair<std::int64_t, std::int64_t>> ranges(static_cast<std::size_t>(channels));
  for (std::size_t i = 0; i < codes.size(); ++i) {
    auto& [low, high] = ranges[i % static_cast<std::size_t>(channels)];
    const auto least = static_cast<std::int64_t>(site.src.grid->low * factor) * codes[i];
    const auto most = static_cast<std::int64_t>(site.src.grid->high * factor) * codes[i];
    low += std::min({least, most, std::int64_t{0}});
    high += std::max({least, most, std::int64_t{0}});
  }
  return ranges;
}

/// The codes that the graph's own nodes, by the reference kernels, make of sums in the place of a product's: those of as many
/// sums at once as the product has elements of a channel.
class Injector {
 public:
  Injector(const Graph& graph, Use sums, Use codes) : graph_(graph), sums_(sums), codes_(codes) {
    for (const Node& node : graph.nodes) {
      const bool any = std::ranges::any_of(node.inputs, [&](Use use) { return reached_[static_cast<std::size_t>(use.node)]; });
      reached_.push_back(&node == &graph.nodes[static_cast<std::size_t>(sums.node)] || any);
    }
  }

  std::size_t rows() const { return static_cast<std::size_t>(graph_.type(sums_).shape.count() / channels()); }
  std::int64_t channels() const { return graph_.type(sums_).shape.channels(); }

  std::vector<int> codes_of(const std::vector<std::int32_t>& sums) const {
    const FlushDenormals flushed;
    test::Tensors tensors;
    const auto bytes = std::as_bytes(std::span(sums));
    tensors[{sums_.node, 0}] = {bytes.begin(), bytes.end()};
    for (int number = 0; number <= codes_.node; ++number) {
      const Node& node = graph_.nodes[static_cast<std::size_t>(number)];
      if (number == sums_.node) continue;
      if (node.op == Op::tensor) {
        tensors[{number, 0}] = *graph_.tensors[static_cast<std::size_t>(node.as<Slot>().index)].bytes;
      } else if (node.op == Op::constant || reached_[static_cast<std::size_t>(number)]) {
        const bool ready = std::ranges::all_of(node.inputs, [&](Use use) { return tensors.contains({use.node, use.output}); });
        if (ready) test::evaluate_node(graph_, number, tensors);
      }
    }
    std::vector<int> codes;
    const HostView made(graph_.type(codes_), tensors.at({codes_.node, codes_.output}));
    if (made.type.dtype == DType::u8) {
      for (const auto code : made.as<std::uint8_t>()) codes.push_back(code);
    } else {
      for (const auto code : made.as<std::int8_t>()) codes.push_back(code);
    }
    return codes;
  }

 private:
  const Graph& graph_;
  Use sums_, codes_;
  std::vector<bool> reached_;
};

/// Counts what the thresholds of every chain of a model were compared for.
struct Counts {
  std::int64_t sums = 0;
  int chains = 0, falling = 0, constant = 0;
};

Counts compare(const FrozenModel& model, std::int64_t most) {
  Counts counts;
  Constants constants(model.graph);
  for (const QuantizedSite& site : model.graph.sites) {
    const Use codes = model.graph.nodes[static_cast<std::size_t>(site.matmul.node)].inputs[0];
    const Chain chain(model.graph, constants, codes);
    if (!chain.obstacle().empty() || model.graph.nodes[static_cast<std::size_t>(chain.source().node)].op == Op::input) continue;
    const QuantizedSite& from = *std::ranges::find(model.graph.sites, chain.source(), &QuantizedSite::matmul);
    const auto brute = brute_range(model.graph, from);
    const HostView weights = constants.value(model.graph.nodes[static_cast<std::size_t>(chain.source().node)].inputs[1]);
    const SumRange range(weights, Levels(*from.src.grid), true);
    const Levels levels(*site.src.grid);
    const auto [thresholds, obstacle] = find_thresholds(chain, range, levels, most);
    EXPECT_EQ(obstacle, "") << site.path;
    if (!obstacle.empty()) continue;
    ++counts.chains;
    for (const auto direction : thresholds.direction) counts.falling += direction < 0;

    const Injector injector(model.graph, chain.source(), codes);
    const auto channels = brute.size();
    std::int64_t longest = 0;
    for (std::size_t c = 0; c < channels; ++c) {
      EXPECT_EQ(range.least[c], brute[c].first);
      EXPECT_EQ(range.greatest[c], brute[c].second);
      longest = std::max(longest, brute[c].second - brute[c].first + 1);
      counts.sums += brute[c].second - brute[c].first + 1;
      const auto* row = thresholds.at.data() + c * static_cast<std::size_t>(levels.count() - 1);
      EXPECT_TRUE(std::is_sorted(row, row + levels.count() - 1));
      counts.constant += std::all_of(row, row + levels.count() - 1, [](auto at) { return at == always || at == never; });
    }
    const auto rows = static_cast<std::int64_t>(injector.rows());
    for (std::int64_t begin = 0; begin < longest; begin += rows) {
      std::vector<std::int32_t> sums;
      for (std::int64_t row = begin; row < begin + rows; ++row) {
        for (const auto& [low, high] : brute) sums.push_back(static_cast<std::int32_t>(std::min(low + row, high)));
      }
      const std::vector<int> expected = injector.codes_of(sums);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const int found = code_by(thresholds, levels, i % channels, sums[i]);
        EXPECT_EQ(found, expected[i]) << site.path << " channel " << i % channels << " sum " << sums[i];
        if (found != expected[i]) return counts;
      }
    }
  }
  return counts;
}

/// Three convolutions in a row, the second in groups.
Value three(GraphBuilder& g, Value x, std::int64_t classes) {
  x = relu(layers::batch_norm(g, "bn1", layers::conv(g, "conv1", x, {.features = 6, .kernel = {3, 3}})));
  x = layers::batch_norm(g, "bn2", layers::conv(g, "conv2", x, {.features = 4, .kernel = {3, 3}, .groups = 2}));
  x = relu(layers::batch_norm(g, "bn3", layers::conv(g, "conv3", x, {.features = 5})));
  return layers::linear(g, "dense", mean_over_space(x), {.features = classes});
}

struct Case {
  const char* name;
  Settings options;
  DType compute = DType::f32;
  std::int64_t most = std::int64_t{1} << 25;  ///< 1: searched, and compared around thresholds only
};
void PrintTo(const Case& c, std::ostream* to) { *to << c.name; }

class Compared : public ::testing::TestWithParam<Case> {};

TEST_P(Compared, GiveTheCodesOfTheFloatChainForEverySum) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const FrozenModel model =
        freeze(Body(three), {.options = GetParam().options, .compute = GetParam().compute, .images = {16, 9, 7, 1}}, seed);
    const Counts counts = compare(model, GetParam().most);
    EXPECT_EQ(counts.chains, 2) << "of conv1 and conv2";
    EXPECT_GT(counts.falling, 0);
    EXPECT_GE(counts.constant, 2) << "factor 0 in the last channel of each";
    EXPECT_GT(counts.sums, 100);
  }
}

Settings with(Settings settings, const std::string& name, OptionValue value) {
  settings.emplace_back(name, std::move(value));
  return settings;
}

INSTANTIATE_TEST_SUITE_P(All, Compared,
                         ::testing::Values(Case{"W8A8", bits(8, 8)}, Case{"W8A8 around thresholds", bits(8, 8), DType::f32, 1},
                                           Case{"W4A4", bits(4, 4)}, Case{"W4A4 around thresholds", bits(4, 4), DType::f32, 1},
                                           Case{"W4A4 half shift", bits(4, 4, true)}, Case{"W2A2", bits(2, 2)},
                                           Case{"W2A2 half shift", bits(2, 2, true)}, Case{"W1A1 half shift", bits(1, 1, true)},
                                           Case{"W4A4 bf16", bits(4, 4), DType::bf16},
                                           Case{"W4A4 aqt", with(bits(4, 4), "quant_type", std::string("aqt"))},
                                           Case{"W4A4 per tensor",
                                                with(bits(4, 4), "weight_quant_granularity", std::string("per_tensor"))}));

/// What the chain of the second convolution is that follows `between`.
struct Between {
  std::string obstacle;  ///< of the chain, or of its thresholds
  std::size_t pools = 0;
  bool monotone = false;
  Counts counts;
};

Between between(const std::function<Value(GraphBuilder&, Value)>& make, std::int64_t most = std::int64_t{1} << 25) {
  const FrozenModel model = freeze(Body([&](GraphBuilder& g, Value x, std::int64_t classes) {
                                     x = layers::conv(g, "conv1", x, {.features = 3, .kernel = {3, 3}});
                                     x = layers::conv(g, "conv2", make(g, x), {.features = classes});
                                     return reshape(sum_to(x, {4, 1, 1, classes}), {4, classes});
                                   }),
                                   {.options = bits(4, 4)});
  Constants constants(model.graph);
  const QuantizedSite &from = model.graph.sites.front(), &site = model.graph.sites.back();
  const auto operand = [&](const QuantizedSite& of, std::size_t i) {
    return model.graph.nodes[static_cast<std::size_t>(of.matmul.node)].inputs[i];
  };
  const Chain chain(model.graph, constants, operand(site, 0));
  Between result{chain.obstacle(), chain.pools().size(), chain.is_monotone(), {}};
  if (!result.obstacle.empty()) return result;
  const SumRange range(constants.value(operand(from, 1)), Levels(*from.src.grid), true);
  result.obstacle = find_thresholds(chain, range, Levels(*site.src.grid), most).obstacle;
  if (result.obstacle.empty() && chain.pools().empty()) result.counts = compare(model, most);
  return result;
}

TEST(Thresholds, FollowEveryMonotoneChainOfElementwiseOps) {
  const auto compared = [](const std::function<Value(GraphBuilder&, Value)>& make, bool by_ops) {
    const Between found = between(make);
    EXPECT_EQ(found.obstacle, "");
    EXPECT_EQ(found.monotone, by_ops);
    EXPECT_EQ(found.counts.chains, 1);
  };
  compared([](GraphBuilder&, Value x) { return 1 - x; }, true);
  compared([](GraphBuilder&, Value x) { return minimum(x / -3, 0.7); }, true);
  compared([](GraphBuilder&, Value x) { return -relu(sqrt(maximum(x, 0)) - 0.25); }, true);
  compared([](GraphBuilder& g, Value x) { return x * g.parameter("scale", {3}, Init::zeros()); }, true);
  // Not by their ops alone, but every sum is tried.
  compared([](GraphBuilder&, Value x) { return tanh(x); }, false);
  compared([](GraphBuilder&, Value x) { return select(x < 0, x * 0.1, x); }, false);  // a leaky relu
  compared([](GraphBuilder&, Value x) { return x + relu(x); }, false);
}

TEST(Thresholds, LetPoolsChooseAmongCodes) {
  const Between after = between([](GraphBuilder&, Value x) { return max_pool(relu(x), {}); });
  EXPECT_EQ(after.obstacle, "");
  EXPECT_EQ(after.pools, 1u);
  EXPECT_EQ(between([](GraphBuilder&, Value x) { return max_pool(x, {}) * 0.5 - 1; }).obstacle, "");
  EXPECT_EQ(between([](GraphBuilder&, Value x) { return -max_pool(x, {}); }).obstacle,
            "negate, behind a max pool, may fall where what was pooled rises");
  EXPECT_THAT(between([](GraphBuilder& g, Value x) { return max_pool(x, {}) * g.parameter("p", {3}, Init::zeros()); }).obstacle,
              HasSubstr("multiply, behind a max pool, may fall"));
  EXPECT_THAT(between([](GraphBuilder&, Value x) { return max_pool(x + relu(x), {}); }).obstacle,
              HasSubstr("max_pool is on one of several ways"));
}

TEST(Thresholds, AreRefusedWithTheReason) {
  const auto refused = [](const std::function<Value(GraphBuilder&, Value)>& make, std::int64_t most = 1 << 25) {
    return between(make, most).obstacle;
  };
  EXPECT_THAT(refused([](GraphBuilder&, Value x) { return abs(x); }),
              HasSubstr("its float chain is not monotone: in channel "));
  EXPECT_THAT(refused([](GraphBuilder&, Value x) { return x * x; }), HasSubstr("is not monotone"));
  EXPECT_THAT(refused([](GraphBuilder&, Value x) { return tanh(x); }, 100), HasSubstr("only trying all of"));
  EXPECT_EQ(refused([](GraphBuilder& g, Value x) { return x + layers::conv(g, "other", x, {.features = 3}); }),
            "add joins conv1 and other");
  EXPECT_EQ(refused([](GraphBuilder&, Value x) { return x - sum_to(x, {4, 1, 1, 3}); }), "subtract joins conv1 and sum");
  EXPECT_EQ(refused([](GraphBuilder& g, Value x) {
              return x * g.parameter("p", {9, 7, 1}, Init::zeros());
            }),
            "multiply has another constant at each place");
  EXPECT_EQ(refused([](GraphBuilder&, Value x) {
              return relu(transpose(x, {1, 2}));
            }),
            "transpose is no op of single elements");
}

TEST(Thresholds, OfAResidualSumAreRefusedByTheLayersItJoins) {
  const FrozenModel model =
      freeze(*make<Layer>("resnet", {{"stages", std::vector<std::int64_t>{2}}, {"num_filters", std::int64_t{4}}}),
             {.options = bits(4, 4), .images = {2, 32, 32, 3}});
  Constants constants(model.graph);
  std::map<std::string, std::string> obstacles;
  std::map<std::string, std::size_t> pools;
  for (const QuantizedSite& site : model.graph.sites) {
    const Chain chain(model.graph, constants, model.graph.nodes[static_cast<std::size_t>(site.matmul.node)].inputs[0]);
    obstacles[site.path] = chain.obstacle();
    pools[site.path] = chain.pools().size();
  }
  EXPECT_EQ(obstacles["stage1/block0/conv_1"], "");
  EXPECT_EQ(pools["stage1/block0/conv_1"], 1u);
  EXPECT_EQ(obstacles["stage1/block0/conv_2"], "");
  EXPECT_EQ(pools["stage1/block0/conv_2"], 0u);
  EXPECT_EQ(obstacles["stage1/block1/conv_1"], "add of stage1/block0 joins stage1/block0/conv_proj and stage1/block0/conv_3");
  EXPECT_EQ(obstacles["dense"], "sum is no op of single elements");
}

TEST(SumRange, TakesEachProductAtItsEnds) {
  const std::vector<std::int8_t> weights{1, -2, 3, -128};  // two channels
  const HostView view({{2, 2}, DType::s8}, std::as_bytes(std::span(weights)));
  const SumRange dense(view, Levels({1, 3}), false), padded(view, Levels({1, 3}), true);
  EXPECT_THAT(dense.least, ElementsAre(4, -390));
  EXPECT_THAT(dense.greatest, ElementsAre(12, -130));
  EXPECT_THAT(padded.least, ElementsAre(0, -390));
  EXPECT_THAT(padded.greatest, ElementsAre(12, 0));
  EXPECT_EQ(dense.bits(), 10);
  EXPECT_EQ(SumRange(view, Levels({-1, 1}), false).bits(), 9) << "-130 to 130";
}

TEST(Levels, AreIntegersAndTwiceTheHalves) {
  const Levels whole({-7, 7}), halves({-1.5, 1.5});
  EXPECT_EQ(whole.count(), 15);
  EXPECT_EQ(whole.at(0), -7);
  EXPECT_EQ(whole.at(14), 7);
  EXPECT_EQ(halves.count(), 4);
  EXPECT_EQ(halves.at(0), -3);
  EXPECT_EQ(halves.at(3), 3);
}

}  // namespace
}  // namespace qfw::codes
