#include "data_tools/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "data/with_place.h"
#include "io/log.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "util/counted.h"
#include "util/interrupt.h"
#include "util/parallel.h"

namespace qfw {

namespace {

constexpr std::int64_t examples_at_a_time = 2048;
constexpr std::size_t errors_kept = 100;
constexpr std::int64_t unlabelled = -1;

/// What became of one example.
struct Finding {
  std::int64_t label = unlabelled, bytes = 0;
  std::string encoding, error;  ///< error empty: it is fine
};

std::string encoding_name(const Example& example) {
  if (example.encoding == Example::Encoding::pixels) return "pixels";
  const auto found = image::encoding_of(example.bytes);
  return found ? image::name_of(*found) : "unknown";
}

Finding examine(const Dataset& dataset, std::string_view split, std::int64_t index, Depth depth) {
  thread_local image::Decoder decoder;
  Finding finding;
  try {
    const Example example = dataset.get(split, index);
    finding.label = example.label;
    finding.bytes = static_cast<std::int64_t>(example.bytes.size());
    finding.encoding = encoding_name(example);
    if (example.label < unlabelled || example.label >= dataset.classes()) {
      finding.error = fmt::format("label {}, but the data set has {} ({})", example.label,
                                  counted(dataset.classes(), "class", "classes"), dataset.place(split, index));
      return finding;
    }
    if (depth == Depth::decode && example.encoding != Example::Encoding::pixels) {
      try {
        decoder.decode(example);
      } catch (const Error& error) {
        finding.error = with_place(error, dataset.place(split, index)).what();
      }
    }
  } catch (const Error& error) {
    if (error.category() != Error::Category::data) throw;
    finding.error = error.what();
  }
  return finding;
}

/// Calls `take` for every example in order.
void examine_all(const Dataset& dataset, std::string_view split, Depth depth, int workers,
                 const std::function<void(std::int64_t index, const Finding&)>& take) {
  const std::int64_t size = dataset.size(split);
  Progress progress(fmt::format("{} {}", depth == Depth::read ? "reading" : "decoding", split));
  progress.begin({.step = 0, .total_steps = size});
  std::int64_t bad = 0;
  for (std::int64_t first = 0; first < size; first += examples_at_a_time) {
    if (InterruptGuard::requested())
      fail(Error::Category::interrupted, "data", fmt::format("after {} of {}", counted(first, "example"), split));
    std::vector<Finding> findings(static_cast<std::size_t>(std::min(examples_at_a_time, size - first)));
    parallel_for(workers, static_cast<std::int64_t>(findings.size()),
                 [&](std::int64_t i) { findings[static_cast<std::size_t>(i)] = examine(dataset, split, first + i, depth); });
    for (std::size_t i = 0; i < findings.size(); ++i) {
      bad += !findings[i].error.empty();
      take(first + static_cast<std::int64_t>(i), findings[i]);
    }
    progress.update({.step = first + static_cast<std::int64_t>(findings.size()), .total_steps = size, .corrupt = bad});
  }
}

}  // namespace

Survey survey(const Dataset& dataset, std::string_view split, Depth depth, int workers) {
  Survey survey;
  const auto blame = [&](std::string error) {
    ++survey.bad;
    if (survey.errors.size() < errors_kept) survey.errors.push_back(std::move(error));
  };
  std::vector<std::int64_t> without_label;
  survey.histogram.resize(static_cast<std::size_t>(dataset.classes()));
  examine_all(dataset, split, depth, workers, [&](std::int64_t index, const Finding& finding) {
    ++survey.records;
    survey.bytes += finding.bytes;
    if (!finding.encoding.empty()) ++survey.encodings[finding.encoding];
    if (finding.label >= 0 && finding.label < dataset.classes()) ++survey.histogram[static_cast<std::size_t>(finding.label)];
    if (!finding.error.empty()) {
      blame(finding.error);
    } else if (finding.label == unlabelled) {
      without_label.push_back(index);
    }
  });
  survey.unlabelled = static_cast<std::int64_t>(without_label.size());
  if (survey.unlabelled + survey.bad == survey.records) return survey;
  for (const std::int64_t index : without_label)
    blame(fmt::format("it has no label (-1), and others of split {} have ({})", split, dataset.place(split, index)));
  return survey;
}

std::vector<std::int64_t> readable_examples(const Dataset& dataset, std::string_view split, int workers) {
  std::vector<std::int64_t> readable;
  examine_all(dataset, split, Depth::decode, workers, [&](std::int64_t index, const Finding& finding) {
    if (finding.error.empty()) {
      readable.push_back(index);
    } else {
      logger().warn("left out: {}", finding.error);
    }
  });
  return readable;
}

}  // namespace qfw
