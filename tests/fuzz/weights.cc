// A file of weights of any kind but HDF5, whose library is for child processes only: listed, and all of it read.
#include "input.h"
#include "io/weights_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  const fuzz::MemoryFile bytes(fuzz::text(data, size));
  fuzz::expect_no_worse_than_an_error([&] {
    const RegularFile file(bytes.path());
    if (container_of(file) == Container::hdf5) return;
    const auto reader = open_weights(file, "");
    for (const ListedTensor& tensor : reader->list()) {
      if (tensor.extents.size() > Shape::max_rank || *count_of(tensor.extents) > 1 << 16) continue;
      for (const DType type : {DType::f32, DType::s32}) {
        const auto found = reader->read({tensor.name, {Shape(tensor.extents), type}});
        if (!found) std::abort();
        if (found->otherwise.empty() && found->values.size() != *count_of(tensor.extents)) std::abort();
      }
    }
  });
  return 0;
}
