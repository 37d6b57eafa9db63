#include "codes.h"

#include <fmt/format.h>

#include <cstdio>

#include "contents.h"
#include "hdf5_file.h"
#include "npz.h"
#include "qfw/error.h"

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
    fail(Error::Category::usage, "codes", fmt::format("the name {} does not say in which form", file.filename().string()), {},
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

}  // namespace qfw::codes
