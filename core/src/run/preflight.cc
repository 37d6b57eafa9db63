#include "run/preflight.h"

#include <fmt/format.h>

#include <filesystem>
#include <vector>

#include "data/labels.h"
#include "data/with_place.h"
#include "io/checkpoint_folder.h"
#include "qfw/atomic_file.h"
#include "qfw/error.h"
#include "util/counted.h"

namespace qfw {

namespace {

/// The first one that can be read; where corrupt ones may be skipped, the pipeline counts those before it.
void check_an_image(Session& session, const std::string& split, bool training) {
  const Dataset& dataset = session.dataset(split);
  require_labels(dataset, split);
  const bool skip = session.recipe().dataset().on_corrupt == "skip";
  std::vector<float> image(static_cast<std::size_t>(session.data().image.count()));
  for (std::int64_t index = 0; index < dataset.size(split); ++index) {
    try {
      const Example example = dataset.get(split, index);
      RandomStream random(session.seed(), 0, static_cast<std::uint64_t>(index));
      session.augment().apply(example, random, training, image);
      return;
    } catch (const Error& error) {
      if (error.category() == Error::Category::usage) throw;
      if (!skip || error.category() != Error::Category::data) throw with_place(error, dataset.place(split, index));
    }
  }
  fail(Error::Category::data, "dataset",
       fmt::format("none of {} of split {} can be read", counted(dataset.size(split), "example"), split), {},
       "look at them with `qfw data verify`");
}

/// A checkpoint is written beside those that are there before one of them goes.
void check_room(const std::filesystem::path& folder, std::int64_t bytes) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error || static_cast<std::int64_t>(space.available) >= bytes) return;
  fail(Error::Category::data, "checkpoint",
       fmt::format("a checkpoint takes {} KiB, and no more than {} KiB of space are left on the disk", (bytes + 1023) / 1024,
                   space.available / 1024),
       folder.string(), "make room, or choose another --run.dir");
}

}  // namespace

void check_before_training(Session& session, const RunFolder& folder, std::int64_t variable_bytes) {
  check_an_image(session, session.train_split(), true);
  check_an_image(session, session.validation_split(), false);
  check_room(folder.checkpoints(), variable_bytes);
  for (const auto& file : {checkpoint_path(folder.checkpoints(), session.total_steps()), folder.best()}) AtomicFile{file};
  session.compile(session.evaluation(session.total_steps()).graph);  // its memory, too
}

}  // namespace qfw
