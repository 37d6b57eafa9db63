#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "run/session.h"

namespace qfw {

/// What to tell who asked for more images than a split has; empty: there are as many. `asked` is what they said, as they said
/// it ("--verify=20000"), `images` the number in it.
std::string fewer_images(Session& session, const std::string& split, std::string_view asked, std::int64_t images);

/// The same as a warning, in the process that leads the run.
void say_fewer_images(Session& session, const std::string& split, std::string_view asked, std::int64_t images);

/// Of eval.examples, where the recipe gives it.
std::string fewer_evaluated(Session& session);

}  // namespace qfw
