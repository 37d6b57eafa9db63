#include "profile_table.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <sstream>

#include "io/printable.h"
#include "layout.h"

namespace qfw {
namespace {

using testing::HasSubstr;
using testing::Not;

const Ceilings ceilings{.peak = {.f32 = 4e10, .bf16 = 0, .integer = 3e11}, .bandwidth = 2e10};

void add(Profile& profile, const std::string& layer, Part part, double milliseconds, double multiplications) {
  Profile::Row row;
  row.task.kind = name_of(part);
  row.task.bytes = 20000000;
  row.layer = layer;
  row.part = part;
  row.multiplications = multiplications;
  row.milliseconds = milliseconds;
  profile.rows.push_back(row);
  if (std::ranges::find(profile.layers, layer) == profile.layers.end()) profile.layers.push_back(layer);
}

Profile network(int stages, int blocks, const std::string& scope = "") {
  Profile profile;
  for (int stage = 1; stage <= stages; ++stage) {
    for (int block = 0; block < blocks; ++block) {
      for (int layer = 1; layer <= 3; ++layer) {
        const std::string name = fmt::format("{}stage{}/block{}/conv_{}", scope, stage, block, layer);
        for (const Part part : {Part::forward, Part::backward_data, Part::backward_weights}) {
          add(profile, name, part, 1234.56, 4e9);
        }
        add(profile, name, Part::passes, 4000, 0);
      }
    }
  }
  add(profile, optimizer_scope, Part::passes, 12, 0);
  return profile;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(ProfileTable, Fits80Columns) {
  for (const Profile& profile : {network(2, 3), network(4, 24), network(1, 1, "a_network_of_somebody/with_long_names/")}) {
    for (const std::string& line : lines_of(profile_table(profile, ceilings))) EXPECT_LE(columns_of(line), 80u) << line;
  }
}

TEST(ProfileTable, NamesEachLayerUntilThereAreMany) {
  const std::string few = profile_table(network(2, 3), ceilings), many = profile_table(network(4, 24), ceilings);
  EXPECT_THAT(few, HasSubstr("\nstage2/block1/conv_3 "));
  EXPECT_THAT(profile_table(network(1, 1, "a_network_of_somebody/with_long_names/"), ceilings),
              testing::ContainsRegex("\n\\.\\.\\.[a-z_]*/stage1/block0/conv_3 "));
  EXPECT_THAT(few, Not(HasSubstr("0-2")));
  EXPECT_THAT(many, HasSubstr("\nstage4/block0-23/conv_3 "));
  EXPECT_LT(lines_of(many).size(), 30u);
}

/// 4e9 multiplications at 4e10 a second take 100 ms, 20 MB at 20 GB/s 1 ms.
TEST(ProfileTable, HoldsTimesAgainstTheCeilings) {
  Profile profile;
  add(profile, "conv", Part::forward, 150, 4e9);
  add(profile, "conv", Part::backward_data, 250, 4e9);
  add(profile, "conv", Part::passes, 4, 0);
  const std::string text = profile_table(profile, ceilings);
  EXPECT_THAT(text, testing::ContainsRegex("conv +100.0 +150.0 +250.0 +4.0 +50 +25\n"));
  EXPECT_THAT(text, HasSubstr("ceiling of the step: 201.0 ms"));
  EXPECT_THAT(text, HasSubstr("2.01 times"));
  EXPECT_THAT(text, HasSubstr("f32 40, 8-bit integers 300; memory 20.0 GB/s"));
  EXPECT_THAT(profile_table(profile, {}), Not(HasSubstr("ceiling of the step")));
  const std::string whole = whole_profile_table(profile, ceilings, unlimited);
  EXPECT_THAT(whole, testing::ContainsRegex("conv +backward data +1 +250.000 +61.9 +4.000 +16.0 +40 +20.0 +0.1"));
}

}  // namespace
}  // namespace qfw
