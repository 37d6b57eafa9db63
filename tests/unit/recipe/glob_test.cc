#include "recipe/glob.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "recipe/source.h"

namespace qfw {
namespace {

TEST(Glob, OneStarStaysWithinAComponent) {
  EXPECT_TRUE(glob_match("dense", "dense"));
  EXPECT_FALSE(glob_match("dense", "dense2"));
  EXPECT_FALSE(glob_match("dense", "a/dense"));
  EXPECT_TRUE(glob_match("stage*/block0/conv_*", "stage12/block0/conv_proj"));
  EXPECT_FALSE(glob_match("stage*", "stage1/block0"));
  EXPECT_FALSE(glob_match("*", "a/b"));
  EXPECT_TRUE(glob_match("*", "a"));
  EXPECT_TRUE(glob_match("*a*b*", "xaxbx"));
  EXPECT_FALSE(glob_match("*a*b*", "xbxax"));
}

TEST(Glob, TwoStarsCrossComponents) {
  EXPECT_TRUE(glob_match("**", "a/b/c"));
  EXPECT_TRUE(glob_match("stage1/**", "stage1/block0/conv_1"));
  EXPECT_FALSE(glob_match("stage1/**", "stage1"));
  EXPECT_TRUE(glob_match("**/conv_1", "stage1/block0/conv_1"));
  EXPECT_TRUE(glob_match("**/conv_1", "conv_1"));
  EXPECT_FALSE(glob_match("**/conv_1", "stage1/myconv_1"));
  EXPECT_TRUE(glob_match("a/**/b", "a/b"));
  EXPECT_TRUE(glob_match("a/**/b", "a/x/y/b"));
  EXPECT_FALSE(glob_match("a**/b", "ab"));
  EXPECT_TRUE(glob_match("**conv**", "stage1/conv_1/x"));
}

TEST(ExpandHome, ReplacesALeadingTildeOnly) {
  const char* before = std::getenv("HOME");
  const std::string saved = before == nullptr ? "" : before;
  setenv("HOME", "/home/someone", 1);
  EXPECT_EQ(expand_home("~"), "/home/someone");
  EXPECT_EQ(expand_home("~/data"), "/home/someone/data");
  EXPECT_EQ(expand_home("~other/data"), "~other/data");
  EXPECT_EQ(expand_home("a/~/b"), "a/~/b");
  setenv("HOME", saved.c_str(), 1);
}

}  // namespace
}  // namespace qfw
