#include "run/fewer_images.h"

#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "io/json.h"
#include "micro.h"
#include "run/trainer.h"
#include "support/files.h"

namespace qfw {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class FewerImages : public ::testing::Test {
 protected:
  Recipe recipe(const std::vector<std::string>& overrides = {}) const { return test::micro_recipe(folder_.path(), overrides); }
  std::string notes(const std::string& examples) const {
    Trainer(recipe({"eval.examples=" + examples, "run.dir=" + (folder_.path() / examples).string()})).run();
    return boost::json::serialize(read_json(folder_.path() / examples / "setup.json").at("notes"));
  }

  test::TemporaryFolder folder_;
};

TEST_F(FewerImages, AreToldWithTheirNumber) {
  Session session(recipe(), Session::Data::required);
  EXPECT_EQ(fewer_images(session, "validation", "--verify=20", 20), "");
  EXPECT_EQ(fewer_images(session, "validation", "--verify=21", 21),
            "--verify=21 is more than there is: split validation has 20 images, and all are taken");
  EXPECT_EQ(fewer_evaluated(session), "") << "nothing was asked for";
}

TEST_F(FewerImages, AreNotedOfARun) {
  EXPECT_THAT(notes("21"), HasSubstr("eval.examples = 21 is more than there is: split validation has 20 images"));
  EXPECT_THAT(notes("20"), Not(HasSubstr("more than there is")));
}

}  // namespace
}  // namespace qfw
