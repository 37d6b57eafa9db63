#include "data_tools/convert.h"

#include <fmt/format.h>

#include <algorithm>

#include "io/progress.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "util/interrupt.h"
#include "util/parallel.h"

namespace qfw {

namespace {

/// The examples of a part in order, read (and decoded, where the data set does that) some ahead on several threads.
class ReadAhead {
 public:
  ReadAhead(const Dataset& dataset, std::string_view split, std::int64_t begin, std::int64_t end, int workers)
      : dataset_(dataset), split_(split), begin_(begin), end_(end), workers_(workers) {}

  /// Throws for an example whose encoding the writer does not take.
  Example get(std::int64_t index, const DatasetWriter& writer) {
    const std::int64_t number = begin_ + index;
    if (number < block_begin_ || number >= block_begin_ + static_cast<std::int64_t>(block_.size())) fill(number);
    const Example& example = block_[static_cast<std::size_t>(number - block_begin_)];
    if (!writer.takes(example.encoding)) {
      fail(Error::Category::data, "convert",
           fmt::format("this form does not hold {} pictures", image::name_of(example.encoding)), dataset_.place(split_, number),
           "give --resize or --shorter-side, which store pixels anew, or choose another form");
    }
    return example;
  }

 private:
  static constexpr std::int64_t block_size = 128;

  void fill(std::int64_t first) {
    if (InterruptGuard::requested())
      fail(Error::Category::interrupted, "convert", "stopped; the same command goes on from there");
    block_begin_ = first;
    block_.assign(static_cast<std::size_t>(std::min(block_size, end_ - first)), {});
    parallel_for(workers_, static_cast<std::int64_t>(block_.size()),
                 [&](std::int64_t i) { block_[static_cast<std::size_t>(i)] = dataset_.get(split_, first + i); });
  }

  const Dataset& dataset_;
  const std::string split_;
  std::int64_t begin_, end_, block_begin_ = -1;
  int workers_;
  std::vector<Example> block_;
};

}  // namespace

std::int64_t convert(const Dataset& dataset, DatasetWriter& writer, const Conversion& conversion) {
  DatasetWriter::Target target{.folder = conversion.folder, .splits = {}, .class_names = {}};
  std::int64_t total = 0, done = 0;
  for (const std::string& split : conversion.splits) {
    target.splits.push_back({split, dataset.size(split)});
    total += target.splits.back().examples;
  }
  for (std::int64_t label = 0; label < dataset.classes(); ++label) target.class_names.push_back(dataset.class_name(label));
  writer.begin(target);

  Progress progress("converting");
  progress.begin({.step = 0, .total_steps = total});
  for (const std::string& split : conversion.splits) {
    for (std::int64_t part = 0; part < writer.parts(split); ++part) {
      const auto [begin, end] = writer.range(split, part);
      if (!writer.has(split, part)) {
        ReadAhead source(dataset, split, begin, end, conversion.workers);
        writer.write(split, part, [&](std::int64_t index) {
          progress.update({.step = done + index, .total_steps = total});
          return source.get(index, writer);
        });
      }
      done += end - begin;
      progress.update({.step = done, .total_steps = total});
    }
  }
  writer.finish();
  return total;
}

}  // namespace qfw
