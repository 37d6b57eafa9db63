#include "codes.h"

#include <fmt/format.h>

#include <cstdio>

#include "contents.h"
#include "hdf5_file.h"
#include "npz.h"
#include "qfw/error.h"
#include "qfw/regular_file.h"

namespace qfw::codes {

void Codes::Options::declare(Declare<Options>& option) {
  option("thresholds", &Options::thresholds,
         "search the integers on a product's sums by which the next layer's codes follow without floats, and compare them with "
         "the float chain");
  option("every_sum", &Options::every_sum,
         "compare thresholds for every possible sum, however many a layer has; else for all of up to 2^25, and of more around "
         "each threshold");
  option("verbose", &Options::verbose, "say on stderr of each layer how its input follows from integers, or why it does not");
}

Codes::Codes(const Options& options) : options_(options) {
  if (options.every_sum && !options.thresholds) {
    fail(Error::Category::usage, "codes", "every_sum is asked for with thresholds = false", {}, "leave one of them out");
  }
}

Exporter::Promise Codes::promise(const FrozenModel& model) const {
  require_integers(model);
  return {.equal = true, .reason = {}};
}

void Codes::write(const FrozenModel& model, const Notes& notes, const std::filesystem::path& file) const {
  const std::string ending = file.extension().string();
  if (ending != ".npz" && ending != ".h5") {
    fail(Error::Category::usage, "codes", fmt::format("the name's ending '{}' does not say in which form", ending), {},
         "let it end in .npz, for numpy, or .h5, for HDF5");
  }
  Search search{.on = options_.thresholds, .every_sum = options_.every_sum};
  if (options_.verbose) search.tell = [](const std::string& line) { fmt::print(stderr, "{}\n", line); };
  const Contents contents = contents_of(model, notes, search);
  if (ending == ".npz") {
    write_npz(contents, file);
  } else {
    write_hdf5(contents, file);
  }
}

std::optional<Exporter::Written> Codes::written(const std::filesystem::path& file) const {
  const RegularFile open(file);
  if (const std::string text = description_in_npz(open); !text.empty()) return written_in(text);
  return written_in(description_in_hdf5(open));
}

}  // namespace qfw::codes
