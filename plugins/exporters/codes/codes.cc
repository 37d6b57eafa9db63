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
  option("verbose", &Options::verbose, "say on stderr of each layer how its input follows from integers, or why it does not");
}

Exporter::Promise Codes::promise(const FrozenModel& model) const {
  require_integers(model);
  return {.equal = true, .reason = {}};
}

void Codes::write(const FrozenModel& model, const Notes& notes, const std::filesystem::path& file) const {
  const std::string ending = file.extension().string();
  if (ending != ".npz" && ending != ".h5") {
    fail(Error::Category::usage, "codes",
         fmt::format("the name's ending '{}' does not say in which form", ending), {},
         "let it end in .npz, for numpy, or .h5, for HDF5");
  }
  const Contents contents = contents_of(model, notes, options_.thresholds);
  if (options_.verbose) {
    for (const std::string& line : contents.log) fmt::print(stderr, "{}\n", line);
  }
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
