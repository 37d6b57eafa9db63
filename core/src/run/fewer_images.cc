#include "run/fewer_images.h"

#include <fmt/format.h>

#include "io/log.h"
#include "util/counted.h"

namespace qfw {

std::string fewer_images(Session& session, const std::string& split, std::string_view asked, std::int64_t images) {
  const std::int64_t there = session.dataset(split).size(split);
  if (images <= there) return {};
  return fmt::format("{} is more than there is: split {} has {}, and all are taken", asked, split, counted(there, "image"));
}

void say_fewer_images(Session& session, const std::string& split, std::string_view asked, std::int64_t images) {
  if (!session.replicas().leads()) return;
  if (const std::string text = fewer_images(session, split, asked, images); !text.empty()) logger().warn("{}", text);
}

std::string fewer_evaluated(Session& session) {
  const auto examples = session.recipe().eval().examples;
  if (!examples) return {};
  return fewer_images(session, session.validation_split(), fmt::format("eval.examples = {}", *examples), *examples);
}

}  // namespace qfw
