#include "interchange/foreign_weights.h"

#include <gmock/gmock.h>
#include <hdf5.h>
#include <sys/stat.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <limits>

#include "support/files.h"
#include "support/mutate.h"

namespace qfw {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
namespace fs = std::filesystem;

/// Calls every variable by its own name.
class SameNames final : public Format {
 public:
  std::vector<Setting> to_recipe(std::string_view) const override { return {}; }
  std::vector<Tensor> tensors(std::span<const Variable> variables, std::span<const std::string>) const override {
    std::vector<Tensor> all;
    for (const Variable& variable : variables) {
      const bool count = variable.name.ends_with("/n");
      all.push_back({variable.name, variable.name, {}, count ? DType::s32 : DType::f32, variable.name.ends_with("variance")});
    }
    return all;
  }
  bool is_incidental(std::string_view name) const override { return name == "pool"; }
};

class ForeignWeights : public testing::Test {
 protected:
  ForeignWeights() {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    variables_ = {{.name = "dense/kernel", .type = {{2, 3}, DType::f32}, .init = {}, .training = {}},
                  {.name = "bn/variance", .type = {{4}, DType::f32}, .init = {}, .kind = Variable::Kind::state, .training = {}},
                  {.name = "bn/n", .type = {{}, DType::f32}, .init = {}, .kind = Variable::Kind::state, .training = {}}};
    begin();
  }
  fs::path path() const { return folder_.path() / "weights.h5"; }
  void begin() {
    file_ = H5Fcreate(path().c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    for (const char* group : {"dense", "bn"}) H5Gclose(H5Gcreate2(file_, group, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  }
  void put(const char* name, const std::vector<hsize_t>& extents, const std::vector<double>& values,
           hid_t stored = H5T_IEEE_F32LE, hid_t properties = H5P_DEFAULT) const {
    const hid_t space = H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr),
                data = H5Dcreate2(file_, name, stored, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    ASSERT_GE(data, 0);
    if (!values.empty()) {
      ASSERT_GE(H5Dwrite(data, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    }
    H5Dclose(data);
    H5Sclose(space);
  }
  void kernel(hid_t stored = H5T_IEEE_F32LE, std::vector<double> values = {1, -2, 3.5, 0.25, 0, 7}) const {
    put("dense/kernel", {2, 3}, values, stored);
  }
  void variance(const std::vector<double>& values = {1, 2, 0, 4}) const { put("bn/variance", {4}, values); }
  void number(double value = 12, hid_t stored = H5T_STD_I32LE) const { put("bn/n", {}, {value}, stored); }
  Values values(const std::string& group = {}) {
    if (file_ >= 0) H5Fclose(std::exchange(file_, -1));
    return read_foreign_weights(path(), group, SameNames(), variables_);
  }
  std::string error(const std::string& group = {}) {
    const std::string text = test::message_of(Error::Category::data, [&] { values(group); });
    begin();
    return text;
  }

  test::TemporaryFolder folder_;
  std::vector<Variable> variables_;
  hid_t file_ = -1;
};

TEST_F(ForeignWeights, NumbersOfEveryKindAreTaken) {
  const hid_t half = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(half, 15, 10, 5, 0, 10);
  H5Tset_precision(half, 16);
  H5Tset_size(half, 2);
  H5Tset_ebias(half, 15);
  hid_t counts = H5T_STD_I64BE;
  for (const hid_t type : {H5T_IEEE_F32LE, H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE, half}) {
    kernel(type);
    variance();
    number(12, std::exchange(counts, H5T_STD_U8LE));
    const Values got = values();
    EXPECT_THAT(got.at("dense/kernel"), ElementsAre(1, -2, 3.5, 0.25, 0, 7));
    EXPECT_THAT(got.at("bn/variance"), ElementsAre(1, 2, 0, 4));
    EXPECT_THAT(got.at("bn/n"), ElementsAre(12));
    begin();
  }
  H5Tclose(half);
}

TEST_F(ForeignWeights, OtherTypesAreNamed) {
  kernel(H5T_STD_I32LE);
  variance();
  number();
  EXPECT_THAT(error(), AllOf(HasSubstr("dense/kernel is 32-bit integer [2, 3], expected f32[2, 3]")));
  kernel();
  variance();
  number(12, H5T_IEEE_F32LE);
  EXPECT_THAT(error(), HasSubstr("bn/n is 32-bit float []"));
  kernel();
  variance();
  number(3e9, H5T_STD_I64LE);
  EXPECT_THAT(error(), AllOf(HasSubstr("bn/n"), HasSubstr("3000000000 is beyond 32 bits")));
  put("dense/kernel", {3, 2}, {1, 2, 3, 4, 5, 6});
  variance();
  number();
  EXPECT_THAT(error(), HasSubstr("dense/kernel is 32-bit float [3, 2], expected f32[2, 3]"));
}

TEST_F(ForeignWeights, ValuesThatNoNetworkHasAreRefusedByName) {
  kernel(H5T_IEEE_F32LE, {1, NAN, 3, NAN, 5, 6});
  variance();
  number();
  EXPECT_THAT(error(), AllOf(HasSubstr("dense/kernel: 2 of 6 values are not finite"), HasSubstr("first nan at 1")));
  kernel(H5T_IEEE_F32LE, {1, 2, 3, 4, 5, -INFINITY});
  variance({1, -1e-30, 2, 3});
  number();
  EXPECT_THAT(error(), AllOf(HasSubstr("first -inf at 5"), HasSubstr("bn/variance: 1 of 4 values are negative")));
  kernel(H5T_IEEE_F64LE, {1, 2, 3, 4, 5, 1e300});
  variance();
  number();
  EXPECT_THAT(error(), HasSubstr("dense/kernel holds 1e+300 at 5, which is beyond what 32-bit floats hold"));
  kernel(H5T_IEEE_F32LE, {1e-42, -1e-44, 3e38, 0, 0, 0});
  variance({0, -0.0, 1e-40, 1});
  number();
  EXPECT_EQ(values().size(), 3u);
}

TEST_F(ForeignWeights, WhatIsThereIsListedWhereNothingFits) {
  for (int i = 0; i < 20; ++i) put(("dense/other" + std::to_string(i)).c_str(), {1}, {1});
  EXPECT_THAT(error(),
              AllOf(HasSubstr("none of the 3 tensors"), HasSubstr("dense/other0, dense/other1, "), HasSubstr("and 12 more")));
  EXPECT_THAT(error(), HasSubstr("no data set"));
  EXPECT_THAT(error("/elsewhere"), HasSubstr("there is no group /elsewhere"));
}

TEST_F(ForeignWeights, WhatWasNeverWrittenIsNotZero) {
  kernel(H5T_IEEE_F32LE, {});
  variance();
  number();
  EXPECT_THAT(error(), AllOf(HasSubstr("dense/kernel"), HasSubstr("never written")));
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {1, 2};
  H5Pset_chunk(properties, 2, chunk);
  put("dense/kernel", {2, 3}, {1, 2, 3, 4, 5, 6}, H5T_IEEE_F32LE, properties);
  variance();
  number();
  EXPECT_EQ(values().size(), 3u);
  H5Pclose(properties);
}

TEST_F(ForeignWeights, LinksAreFollowedWithinTheFileOnly) {
  put("pool", {2, 3}, {1, 2, 3, 4, 5, 6});
  variance();
  number();
  H5Lcreate_soft("/pool", file_, "dense/kernel", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(values().at("dense/kernel"), ElementsAre(1, 2, 3, 4, 5, 6));
  fs::rename(path(), folder_.path() / "elsewhere.h5");
  begin();
  variance();
  number();
  H5Lcreate_external("elsewhere.h5", "/pool", file_, "dense/kernel", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(error(), AllOf(HasSubstr("dense/kernel"), HasSubstr("another file, elsewhere.h5:/pool")));
  H5Ldelete(file_, "dense", H5P_DEFAULT);
  H5Lcreate_external("elsewhere.h5", "/dense", file_, "dense", H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_THAT(error(), HasSubstr("elsewhere.h5:/dense"));
}

TEST_F(ForeignWeights, DeepGroupsAndStrangeFilesAreErrors) {
  hid_t inner = H5Gopen2(file_, "dense", H5P_DEFAULT);
  for (int i = 0; i < 3000; ++i) H5Gclose(std::exchange(inner, H5Gcreate2(inner, "d", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)));
  H5Gclose(inner);
  const auto start = std::chrono::steady_clock::now();
  EXPECT_THAT(error(), HasSubstr("too deep"));
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  H5Fclose(std::exchange(file_, -1));
  std::ofstream(path()) << "not HDF5";
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { values(); }), HasSubstr("no file of weights"));
  fs::remove(path());
  ASSERT_EQ(mkfifo(path().c_str(), 0600), 0);
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { values(); }), HasSubstr("pipe"));
}

/// Each mutated file gives the values, others of the same number, or one error.
TEST_F(ForeignWeights, MutationsEndInAnErrorOrAreRead) {
  kernel();
  variance();
  number();
  const auto whole_values = values();
  std::ifstream stream(path(), std::ios::binary);
  const std::string whole{std::istreambuf_iterator<char>(stream), {}};
  int refused = 0, changed = 0;
  for (int i = 0; i < test::mutations(); ++i) {
    std::ofstream(path(), std::ios::binary) << test::mutated(whole, static_cast<std::uint64_t>(i));
    const auto start = std::chrono::steady_clock::now();
    try {
      const Values got = values();
      ASSERT_EQ(got.size(), whole_values.size());
      changed += got != whole_values;
    } catch (const Error& error) {
      EXPECT_EQ(static_cast<int>(error.category()), static_cast<int>(Error::Category::data)) << error.what();
      ++refused;
    }
    EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(15)) << "mutation " << i;
  }
  EXPECT_LT(test::peak_memory(), std::uint64_t{1} << 30);
  std::printf("%d mutations: %d refused, %d read, of which %d with other values\n", test::mutations(), refused,
              test::mutations() - refused, changed);
  EXPECT_GT(refused, test::mutations() / 5);
}

/// What a file lacks as a whole, or may hold infinite, follows from roles, whatever the names.
TEST_F(ForeignWeights, StateOfQuantizersIsToldByItsRole) {
  variables_.push_back(
      {.name = "seen/least", .type = {{2}, DType::f32}, .init = {}, .kind = Variable::Kind::state, .training = {}});
  kernel();
  variance();
  number();
  EXPECT_THAT(error(), AllOf(HasSubstr("the file lacks"), HasSubstr("seen/least")));
  variables_.back().role = Variable::Role::operand_statistics;
  kernel();
  variance();
  number();
  EXPECT_EQ(values().count("seen/least"), 0u) << "it keeps its initial value";
  begin();
  kernel();
  variance();
  number();
  H5Gclose(H5Gcreate2(file_, "seen", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  put("seen/least", {2}, {INFINITY, 1});
  EXPECT_THAT(values().at("seen/least"), ElementsAre(INFINITY, 1));
  begin();
  variables_.back().role = Variable::Role::batch_statistics;
  kernel();
  variance();
  number();
  H5Gclose(H5Gcreate2(file_, "seen", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  put("seen/least", {2}, {INFINITY, 1});
  EXPECT_THAT(error(), HasSubstr("seen/least: 1 of 2 values are not finite"));
}

/// Subtracts what the file has under the name of a bias.
class Biased final : public Format {
 public:
  std::vector<Setting> to_recipe(std::string_view) const override { return {}; }
  std::vector<Tensor> tensors(std::span<const Variable> variables, std::span<const std::string>) const override {
    std::vector<Tensor> all;
    for (const Variable& variable : variables) {
      Tensor tensor{.variable = variable.name, .path = variable.name, .axes = {}};
      if (variable.name == "conv/kernel") tensor.axes = {3, 2, 0, 1};
      if (variable.name == "bn/mean") tensor.minus = "conv/bias";
      all.push_back(tensor);
    }
    return all;
  }
};

class AdaptedWeights : public ForeignWeights {
 protected:
  AdaptedWeights() {
    H5Gclose(H5Gcreate2(file_, "conv", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    variables_ = {{.name = "conv/kernel", .type = {{1, 2, 1, 2}, DType::f32}, .init = {}, .training = {}},
                  {.name = "bn/mean", .type = {{2}, DType::f32}, .init = {}, .training = {}},
                  {.name = "dense/kernel", .type = {{2, 3}, DType::f32}, .init = {}, .training = {}}};
  }
  Values adapted(const Adaptation& adaptation) {
    H5Fclose(std::exchange(file_, -1));
    return read_foreign_weights(path(), {}, Biased(), variables_, adaptation);
  }
  std::string complaint(Error::Category category, const Adaptation& adaptation) {
    return test::message_of(category, [&] { adapted(adaptation); });
  }
};

/// Two outputs of three channels and two columns: theirs is [O, I, H, W].
TEST_F(AdaptedWeights, GreyIsTheSumOverInputChannels) {
  put("conv/kernel", {2, 3, 1, 2}, {1, 2, 10, 20, 100, 200, 3, 4, 30, 40, 300, 400});
  put("bn/mean", {2}, {5, 6});
  kernel();
  EXPECT_THAT(adapted({.fresh = {}, .grey = "conv/kernel"}).at("conv/kernel"), ElementsAre(111, 333, 222, 444));
}

TEST_F(AdaptedWeights, GreyIsOfferedWhereItWouldHelp) {
  put("conv/kernel", {2, 3, 1, 2}, std::vector<double>(12, 1));
  put("bn/mean", {2}, {5, 6});
  kernel();
  EXPECT_THAT(complaint(Error::Category::data, {}),
              AllOf(HasSubstr("conv/kernel is 32-bit float [2, 3, 1, 2]"), HasSubstr("--grey")));
}

TEST_F(AdaptedWeights, BiasesAreSubtractedWhereTheyAre) {
  put("conv/kernel", {2, 1, 1, 2}, {1, 2, 3, 4});
  put("bn/mean", {2}, {5, 6});
  put("conv/bias", {2}, {0.5, -2});
  kernel();
  EXPECT_THAT(adapted({}).at("bn/mean"), ElementsAre(4.5, 8));
  begin();
  H5Gclose(H5Gcreate2(file_, "conv", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  put("conv/kernel", {2, 1, 1, 2}, {1, 2, 3, 4});
  put("bn/mean", {2}, {5, 6});
  put("conv/bias", {3}, {0.5, -2, 1});
  kernel();
  EXPECT_THAT(complaint(Error::Category::data, {}), HasSubstr("conv/bias is 32-bit float [3], expected f32[2] (for bn/mean)"));
}

TEST_F(AdaptedWeights, FreshLayersTakeNothing) {
  put("conv/kernel", {2, 1, 1, 2}, {1, 2, 3, 4});
  put("bn/mean", {2}, {5, 6});
  put("dense/kernel", {7, 7}, std::vector<double>(49, 1));
  const Values found = adapted({.fresh = {"dense"}, .grey = {}});
  EXPECT_EQ(found.size(), 2u);
  EXPECT_FALSE(found.contains("dense/kernel"));
}

TEST_F(AdaptedWeights, WhatIsLeftOverIsAnErrorUnlessIncidental) {
  put("conv/kernel", {2, 1, 1, 2}, {1, 2, 3, 4});
  put("bn/mean", {2}, {5, 6});
  put("elsewhere", {1}, {1});
  kernel();
  EXPECT_THAT(complaint(Error::Category::data, {}), HasSubstr("no place for: elsewhere"));
}

TEST(HasAllBounds, LooksAtWhatClipsOperands) {
  const auto state = [](const char* name, Variable::Role role) {
    return Variable{
        .name = name, .type = {{2}, DType::f32}, .init = {}, .kind = Variable::Kind::state, .training = {}, .role = role};
  };
  const std::vector<Variable> variables{state("a/limit", Variable::Role::operand_bounds),
                                        state("b/limit", Variable::Role::operand_bounds),
                                        state("b/src/bounds", Variable::Role::other)};
  EXPECT_TRUE(has_all_bounds({{"a/limit", {6, 0}}, {"b/limit", {1, 2}}, {"b/src/bounds", {-1, 3}}}, variables));
  EXPECT_FALSE(has_all_bounds({{"a/limit", {6, 5}}, {"b/limit", {-1, -1}}}, variables));
  EXPECT_FALSE(has_all_bounds({{"b/src/bounds", {6, 5}}}, variables)) << "there are none";
  EXPECT_THAT(test::message_of(Error::Category::data,
                               [&] {
                                 has_all_bounds({{"b/limit", {-1, 2}}}, variables);
                               }),
              AllOf(HasSubstr("1 of 2 bounds are -1"), HasSubstr("b/limit")));
}

}  // namespace
}  // namespace qfw
