// A list of labels for three pictures and three classes: each gets a label of a class, or an error says why not.
#include "input.h"
#include "labels.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  using namespace qfw::image_folder;
  const fuzz::MemoryFile file(fuzz::text(data, size));
  const std::vector<std::string> class_names{"1", "10", "golden retriever"};
  Listing listing;
  listing.folders.emplace_back("val");
  for (const char* name : {"a b.jpg", "a.jpg", "v,1.png"}) listing.files.push_back({.name = name});
  fuzz::expect_no_worse_than_an_error([&] {
    label_files(listing, read_labels(file.path(), listing, class_names), class_names, Meaning::automatic);
    for (const Listing::File& each : listing.files) {
      if (each.label < 0 || each.label > 2) std::abort();
    }
  });
  fuzz::expect_no_worse_than_an_error([&] {
    if (classes_of(read_labels(file.path(), listing, {})).size() > std::size_t{1} << 20) std::abort();
  });
  return 0;
}
