#include "codes.h"

#include <gmock/gmock.h>
#include <hdf5.h>

#include <cmath>
#include <set>

#include "contents.h"
#include "json_text.h"
#include "npz_reader.h"
#include "qfw/atomic_file.h"
#include "qfw/regular_file.h"
#include "support.h"
#include "support/files.h"
#include "values.h"

namespace qfw::codes {
namespace {

using namespace qfw::testing;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
namespace json = boost::json;

/// A network without a float before its last sums: pixels are looked up, codes compared, pools pool codes.
Value plain(GraphBuilder& g, Value x, std::int64_t classes) {
  x = layers::conv(g, "conv1", x, {.features = 6, .kernel = {5, 3}, .stride = {1, 2}, .src_signed = true});
  x = max_pool(relu(layers::batch_norm(g, "bn1", x)), {.window = {3, 2}, .stride = {2, 1}, .padding = {{1, 0}, {1, 1}}});
  x = layers::conv(g, "conv2", x, {.features = 4, .kernel = {3, 3}, .padding = Padding{{2, 1}, {0, 1}}, .groups = 2});
  x = layers::batch_norm(g, "bn2", x);
  x = layers::conv(g, "conv3", x, {.features = 8, .kernel = {x.shape()[1], x.shape()[2]}, .padding = Padding{}});
  x = relu(layers::batch_norm(g, "bn3", x));
  x = layers::conv(g, "conv4", x, {.features = classes, .bias = true});
  return reshape(x, {x.shape()[0], classes});
}

/// Runs such a network with integers alone, from the file alone.
class Machine {
 public:
  explicit Machine(const std::filesystem::path& file) : npz_(file), about_(npz_.description.as_object()) {}

  struct Tensor {
    std::array<std::int64_t, 4> shape{};  ///< NHWC
    std::vector<std::int32_t> values;
    std::int32_t& at(std::int64_t n, std::int64_t y, std::int64_t x, std::int64_t c) {
      return values[static_cast<std::size_t>(((n * shape[1] + y) * shape[2] + x) * shape[3] + c)];
    }
    void resize() { values.resize(static_cast<std::size_t>(shape[0] * shape[1] * shape[2] * shape[3])); }
  };

  std::vector<float> run(const Tensor& pixels) {
    Tensor codes = looked_up(pixels), sums;
    for (std::size_t i = 0; i < sites().size(); ++i) {
      if (i > 0) codes = compared(sums, activation(i));
      sums = convolved(codes, sites().at(i).as_object());
    }
    return last_floats(sums, sites().at(sites().size() - 1).as_object());
  }

 private:
  const json::array& sites() const { return about_.at("sites").as_array(); }
  const json::object& activation(std::size_t i) const { return about_.at("activations").at(i).as_object(); }
  const Npz::Array& array(const json::value& name) const { return npz_.arrays.at(std::string(name.as_string())); }

  Tensor looked_up(const Tensor& pixels) {
    const auto& table = array(activation(0).at("table").at("codes"));
    const auto codes = table.as<std::int8_t>();
    EXPECT_EQ(table.descr, "|i1");
    Tensor result = pixels;
    for (std::size_t i = 0; i < pixels.values.size(); ++i) {
      const auto channel = i % static_cast<std::size_t>(pixels.shape[3]);
      result.values[i] = codes[channel * 256 + static_cast<std::size_t>(pixels.values[i])];
    }
    return result;
  }

  Tensor compared(const Tensor& sums, const json::object& about) {
    const json::object& how = about.at("thresholds").as_object();
    const auto direction = array(how.at("direction")).as<std::int8_t>();
    const auto at = array(how.at("at")).as<std::int32_t>();
    const std::size_t steps = at.size() / direction.size();
    const json::value& levels = about.at("integers");
    Tensor codes = sums;
    for (std::size_t i = 0; i < sums.values.size(); ++i) {
      const std::size_t c = i % direction.size();
      const std::int32_t s = direction[c] * sums.values[i];
      std::size_t k = 0;
      while (k < steps && s >= at[c * steps + k]) ++k;
      codes.values[i] =
          static_cast<std::int32_t>(levels.at("low").as_int64() + levels.at("step").as_int64() * static_cast<int>(k));
    }
    for (const json::value& pool : how.at("then_pooled_by").as_array()) codes = pooled(codes, node(pool.as_string()));
    return codes;
  }

  const json::object& node(std::string_view output) const {
    for (const json::value& each : about_.at("nodes").as_array()) {
      if (each.at("output").as_string() == output) return each.as_object();
    }
    throw std::runtime_error("no node");
  }

  template <class Each>
  static void windows(const Tensor& from, Tensor& to, std::array<std::int64_t, 2> window, const json::object& how, Each each) {
    for (std::size_t axis = 0; axis < 2; ++axis) {
      const std::int64_t padded = from.shape[1 + axis] + how.at("padding").at("low").at(axis).as_int64() +
                                  how.at("padding").at("high").at(axis).as_int64();
      to.shape[1 + axis] = (padded - window[axis]) / how.at("stride").at(axis).as_int64() + 1;
    }
    to.resize();
    const auto of = [&](const json::value& pair) { return std::array{pair.at(0).as_int64(), pair.at(1).as_int64()}; };
    const auto stride = of(how.at("stride")), low = of(how.at("padding").at("low"));
    for (std::int64_t n = 0; n < to.shape[0]; ++n) {
      for (std::int64_t y = 0; y < to.shape[1]; ++y) {
        for (std::int64_t x = 0; x < to.shape[2]; ++x) {
          for (std::int64_t i = 0; i < window[0]; ++i) {
            for (std::int64_t j = 0; j < window[1]; ++j) {
              const std::int64_t row = y * stride[0] - low[0] + i, column = x * stride[1] - low[1] + j;
              const bool inside = row >= 0 && row < from.shape[1] && column >= 0 && column < from.shape[2];
              if (inside) each(std::array{n, y, x}, std::array{row, column}, i * window[1] + j);
            }
          }
        }
      }
    }
  }

  static Tensor pooled(Tensor from, const json::object& how) {
    Tensor to{from.shape, {}};
    const std::array window{how.at("window").at(0).as_int64(), how.at("window").at(1).as_int64()};
    to.values.assign(1 << 16, -1000);
    windows(from, to, window, how, [&](const auto& place, const auto& source, std::int64_t) {
      for (std::int64_t c = 0; c < from.shape[3]; ++c) {
        auto& largest = to.at(place[0], place[1], place[2], c);
        largest = std::max(largest, from.at(place[0], source[0], source[1], c));
      }
    });
    return to;
  }

  Tensor convolved(Tensor from, const json::object& how) {
    const auto& weights = array(how.at("weights").at("codes"));
    const auto codes = weights.as<std::int8_t>();
    const std::int64_t per_group = weights.shape[2], features = weights.shape[3], groups = how.at("groups").as_int64();
    Tensor to{{from.shape[0], 0, 0, features}, {}};
    windows(from, to, {weights.shape[0], weights.shape[1]}, how, [&](const auto& place, const auto& source, std::int64_t tap) {
      for (std::int64_t o = 0; o < features; ++o) {
        for (std::int64_t i = 0; i < per_group; ++i) {
          to.at(place[0], place[1], place[2], o) +=
              codes[static_cast<std::size_t>((tap * per_group + i) * features + o)] *
              from.at(place[0], source[0], source[1], o / (features / groups) * per_group + i);
        }
      }
    });
    const auto least = array(how.at("sums").at("least")).as<std::int32_t>(),
               greatest = array(how.at("sums").at("greatest")).as<std::int32_t>();
    for (std::size_t i = 0; i < to.values.size(); ++i) {
      EXPECT_GE(to.values[i], least[i % least.size()]);
      EXPECT_LE(to.values[i], greatest[i % least.size()]);
    }
    return to;
  }

  std::vector<float> last_floats(const Tensor& sums, const json::object& how) {
    std::vector<float> all;
    const auto channels = static_cast<std::size_t>(sums.shape[3]);
    for (std::size_t i = 0; i < sums.values.size(); ++i) {
      float x = 0;
      for (const json::value& step : how.at("then").as_array()) {
        const std::string_view op = step.at("op").as_string();
        const json::value* constant = step.as_object().if_contains("constant");
        const float other = constant == nullptr ? 0 : array(*constant).as<float>()[i % channels];
        if (op == "cast") {
          x = static_cast<float>(sums.values[i]);
        } else if (op == "multiply") {
          x = x * other;
        } else if (op == "add") {
          x = x + other;
        } else {
          ADD_FAILURE() << op;
        }
      }
      all.push_back(x);
    }
    return all;
  }

  Npz npz_;
  json::object about_;
};

class WholeNetwork : public ::testing::TestWithParam<Settings> {};

TEST_P(WholeNetwork, RunsOnIntegersFromTheFileAloneToTheBit) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.npz";
  const FrozenModel model = freeze(Body(plain), {.options = GetParam(), .images = {4, 9, 7, 3}});
  Codes({}).write(model, {}, file);

  Machine::Tensor pixels{{4, 9, 7, 3}, {}};
  pixels.resize();
  RandomStream random(5, 5);
  for (auto& pixel : pixels.values) pixel = static_cast<std::int32_t>(256 * random.uniform());
  const auto tables = image::tables_of(*model.preparation);
  std::vector<float> images;
  for (std::size_t i = 0; i < pixels.values.size(); ++i)
    images.push_back(tables[i % 3][static_cast<std::size_t>(pixels.values[i])]);

  const std::vector<float> found = Machine(file).run(pixels);
  for (const char* backend : {"reference", "cpu"}) {
    const auto expected = Evaluator(backend).run(model.graph, {}, {{"images", images}}).at("logits");
    ASSERT_EQ(found.size(), expected.size());
    EXPECT_EQ(std::memcmp(found.data(), expected.data(), 4 * found.size()), 0) << backend;
    EXPECT_GT(std::set<float>(expected.begin(), expected.end()).size(), 5u) << "the images make a difference";
  }
}

INSTANTIATE_TEST_SUITE_P(All, WholeNetwork,
                         ::testing::Values(bits(8, 8), bits(4, 4), bits(2, 2), bits(4, 4, true), bits(2, 2, true)));

FrozenModel small(bool integer = true, const std::string& quantizer = "weights_and_auto_acts") {
  FrozenModel model = freeze(Body(plain), {.quantizer = quantizer,
                                           .options = quantizer == "none" ? Settings{} : bits(4, 4),
                                           .integer = integer,
                                           .images = {2, 9, 7, 3}});
  model.labels = {"a", "b \"quoted\"", "\xe4", "d\n", "\xc3\xa4"};
  return model;
}

TEST(Codes, WritesEqualBytesOfEqualModels) {
  const test::TemporaryFolder folder;
  for (const char* ending : {"npz", "h5"}) {
    const auto one = folder.path() / (std::string("one.") + ending), two = folder.path() / (std::string("two.") + ending);
    Codes({}).write(small(), {{"proven", "yes"}}, one);
    Codes({}).write(small(), {{"proven", "yes"}}, two);
    EXPECT_EQ(read_text(one), read_text(two)) << ending;
    Codes({}).write(small(), {{"proven", "no"}}, two);  // over what is there
    EXPECT_NE(read_text(one), read_text(two)) << ending;
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder.path()), {}), 4) << "no other files";
}

TEST(Codes, TellsWhatIsKnownOfTheModel) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.npz";
  const FrozenModel model = small();
  Codes({}).write(model, {{"proven", "not yet"}}, file);
  const Npz npz(file);
  const json::object& about = npz.description.as_object();
  EXPECT_EQ(about.at("notes").at("proven").as_string(), "not yet");
  EXPECT_EQ(about.at("provenance").at("checkpoint").as_string(), "0123456789abcdef");
  EXPECT_EQ(about.at("input").at("preparation").at("fit").as_string(), "exact");
  EXPECT_EQ(npz.arrays.at("input/tables").shape, (std::vector<std::int64_t>{3, 256}));
  const json::array& labels = about.at("output").at("labels").as_array();
  EXPECT_EQ(labels.at(1).as_string(), "b \"quoted\"");
  EXPECT_EQ(labels.at(2).as_string(), "\\xe4");
  EXPECT_EQ(labels.at(4).as_string(), "\xc3\xa4");
  for (const auto& [name, array] : npz.arrays) {
    const json::object& said = about.at("arrays").at(name).as_object();
    EXPECT_EQ(said.at("shape").as_array().size(), array.shape.size()) << name;
  }
  EXPECT_EQ(about.at("arrays").as_object().size(), npz.arrays.size());

  const json::object& conv2 = about.at("sites").at(1).as_object();
  EXPECT_EQ(conv2.at("layer").as_string(), "conv2");
  EXPECT_EQ(conv2.at("groups").as_int64(), 2);
  EXPECT_EQ(json_text(conv2.at("padding")), "{\"low\": [2, 1], \"high\": [0, 1]}\n");
  EXPECT_EQ(json_text(conv2.at("batch_norm")),
            "{\"mean\": \"bn2/mean\", \"factor\": \"bn2/multiply\", \"beta\": \"bn2/beta\"}\n");
  const auto& weights = npz.arrays.at("conv2/weights/codes");
  EXPECT_EQ(weights.shape, (std::vector<std::int64_t>{3, 3, 3, 4}));
  EXPECT_EQ(std::ranges::max(weights.as<std::int8_t>()), 7);
  // Scales of both sides make the factor.
  const auto scales = npz.arrays.at("conv2/weights/scale").as<float>(), factors = npz.arrays.at("conv2/factor").as<float>();
  ASSERT_EQ(scales.size(), 4u);
  const double src = about.at("activations").at(1).at("scale").as_double();
  for (std::size_t c = 0; c < 4; ++c) EXPECT_NEAR(factors[c] * src * scales[c], 1, 1e-6);

  Codes({.thresholds = false}).write(model, {}, file);
  const Npz without(file);
  EXPECT_EQ(json_text(without.description).find("\"thresholds\""), std::string::npos);
  EXPECT_FALSE(without.arrays.contains("conv2/src/thresholds"));
}

/// Divides by steps, so that no scale of activations is left when it is frozen.
struct Steps final : Quantizer {
  Operand quantize(GraphBuilder& g, const MatmulSite&, Role role, Value x, Phase) const override {
    if (role == Role::weights) return {clip(round_even(x * 7), -7, 7), 7, Grid{-7, 7}};
    const Value step = g.state("step", {}, Init::constant(1)) * 0.25;
    return {clip(round_even(x / step), -8, 7), 1 / step, Grid{-8, 7}};
  }
};

TEST(Codes, DoesWithoutScalesThatNobodyMultipliesBy) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.npz";
  const Steps steps;
  const FrozenModel model = freeze(Body(plain), {.images = {2, 9, 7, 3}, .own = &steps});
  ASSERT_LT(model.graph.sites[0].src.scale.node, 0) << "or this tests nothing";
  Codes({}).write(model, {}, file);
  const json::value about = Npz(file).description;
  EXPECT_TRUE(about.at("activations").at(1).at("scale").is_null());
  EXPECT_TRUE(about.at("activations").at(2).as_object().contains("thresholds"));
  EXPECT_EQ(about.at("sites").at(1).at("weights").at("scale").as_double(), 7);
}

TEST(Codes, TellsWhetherPixelsAreAllThatImagesAreMadeOf) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.npz";
  FrozenModel model = small();
  const auto table = [&] {
    Codes({}).write(model, {}, file);
    return Npz(file).description.at("activations").at(0).as_object();
  };
  EXPECT_TRUE(table().at("table").at("exact").as_bool());
  model.preparation->fit = image::Preparation::Fit::shorter_side;
  EXPECT_FALSE(table().at("table").at("exact").as_bool()) << "a bicubic filter makes floats";
  model.preparation->filter = image::Preparation::Filter::bilinear_reduced;
  EXPECT_TRUE(table().at("table").at("exact").as_bool());
  model.preparation.reset();
  EXPECT_EQ(table().at("no_thresholds").as_string(), "it is not known what becomes of a pixel");
}

TEST(Codes, WritesTheSameInHdf5) {
  const test::TemporaryFolder folder;
  const auto npz_file = folder.path() / "model.npz", file = folder.path() / "model.h5";
  Codes({}).write(small(), {}, npz_file);
  Codes({}).write(small(), {}, file);
  const Npz npz(npz_file);
  const hid_t opened = H5Fopen(file.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT);
  ASSERT_GE(opened, 0);
  for (const auto& [name, array] : npz.arrays) {
    const hid_t data = H5Dopen2(opened, name.c_str(), H5P_DEFAULT);
    ASSERT_GE(data, 0) << name;
    const hid_t type = array.descr == "<f4"   ? H5T_IEEE_F32LE
                       : array.descr == "<i4" ? H5T_STD_I32LE
                       : array.descr == "|i1" ? H5T_STD_I8LE
                                              : H5T_STD_U8LE;
    std::string bytes(array.bytes.size(), '?');
    const hid_t stored = H5Dget_type(data);
    EXPECT_GT(H5Tequal(stored, type), 0) << name;
    EXPECT_GE(H5Dread(data, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), 0);
    EXPECT_EQ(bytes, array.bytes) << name;
    H5Tclose(stored);
    H5Dclose(data);
  }
  H5Fclose(opened);
}

TEST(Codes, KnowsItsFilesAndNoOthers) {
  const test::TemporaryFolder folder;
  const FrozenModel model = small();
  for (const char* name : {"model.npz", "model.h5"}) {
    const auto file = folder.path() / name;
    Codes({}).write(model, {{"proven", "not \"yet\""}}, file);
    const auto found = Codes({}).written(file);
    ASSERT_TRUE(found) << name;
    EXPECT_EQ(found->provenance.checkpoint, model.provenance.checkpoint);
    EXPECT_EQ(found->provenance.step, model.provenance.step);
    EXPECT_EQ(found->provenance.recipe, model.provenance.recipe);
    ASSERT_EQ(found->notes.size(), 1u);
    EXPECT_EQ(found->notes[0].second, "not \"yet\"");
    const std::string bytes = read_text(file);
    for (const std::size_t part : {bytes.size() / 2, std::size_t{40}, std::size_t{4}, std::size_t{0}}) {
      write_text_atomically(file, bytes.substr(0, part));
      if (name == std::string("model.npz") && part > 40) continue;  // the description is the first entry
      EXPECT_FALSE(Codes({}).written(file)) << name << ", " << part << " bytes";
    }
  }
  write_text_atomically(folder.path() / "text", "not written by qfw");
  EXPECT_FALSE(Codes({}).written(folder.path() / "text"));
}

TEST(Codes, RefusesFloatsWithLayerAndReason) {
  const test::TemporaryFolder folder;
  const auto file = folder.path() / "model.npz";
  const auto message = [&](const FrozenModel& model) {
    return test::message_of(Error::Category::usage, [&] { Codes({}).write(model, {}, file); });
  };
  EXPECT_THAT(message(small(false)), AllOf(HasSubstr("[codes]"), HasSubstr("layer conv1"), HasSubstr("fake_quant"),
                                           HasSubstr("and 3 more layers"), HasSubstr("quantizer.arithmetic = integer")));
  EXPECT_THAT(message(small(true, "none")), AllOf(HasSubstr("layer conv1"), HasSubstr("are floats")));
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { Codes({}).promise(small(false)); }), HasSubstr("layer conv1"));
  EXPECT_TRUE(Codes({}).promise(small()).equal);
  EXPECT_THAT(test::message_of(Error::Category::usage, [&] { Codes({}).write(small(), {}, folder.path() / "model.bin"); }),
              AllOf(HasSubstr(".bin"), HasSubstr(".npz"), HasSubstr(".h5")));
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Names, AreUniqueAndNeverFoldersOfOthers) {
  Names names;
  EXPECT_EQ(names.take("a/b"), "a/b");
  EXPECT_EQ(names.take("a/b"), "a/b_2");
  EXPECT_EQ(names.take("a"), "a_2");
  EXPECT_EQ(names.take("a/b/c"), "a/b_/c");
  EXPECT_EQ(names.take("a/b/c"), "a/b_/c_2");
  EXPECT_EQ(names.take("d"), "d");
  EXPECT_EQ(names.take("d/e"), "d_/e");
}

TEST(JsonText, KeepsNumbersAndStaysJson) {
  EXPECT_EQ(json_text(json_number(0.1)), "0.1\n");
  EXPECT_EQ(json_text(json_number(static_cast<double>(0.1f))), "0.10000000149011612\n");
  EXPECT_EQ(json_text(json_number(3)), "3.0\n");
  EXPECT_EQ(json_text(json_number(-INFINITY)), "\"-inf\"\n");
  EXPECT_EQ(json_text(json_number(NAN)), "\"nan\"\n");
  EXPECT_EQ(json_text(json_string("a\xf0\x9f\x98\x80\xed\xa0\x80\n")), "\"a\xf0\x9f\x98\x80\\\\xed\\\\xa0\\\\x80\\n\"\n");
}

}  // namespace
}  // namespace qfw::codes
