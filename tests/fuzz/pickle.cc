// A pickle, and what PyTorch's tensors are made of in it: data or an error; nothing is run, and nothing takes long.
#include "io/pickle.h"

#include "input.h"
#include "io/torch_pickle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace qfw;
  fuzz::expect_no_worse_than_an_error([&] {
    const Pickle pickle(std::as_bytes(std::span(data, size)), torch_names(), "input");
    if (pickle.size() > size) std::abort();
    torch_storages(pickle, "input");
    for (const auto& [name, tensor] : torch_tensors(pickle, "input")) {
      const std::uint64_t count = *count_of(tensor.extents);
      if (!tensor.storage.number || count > 1 << 16 || tensor.storage.bytes() > 1 << 20) continue;
      const std::vector<std::byte> storage(static_cast<std::size_t>(tensor.storage.bytes()));
      if (dense_bytes(tensor, storage).size() != count * size_of(*tensor.storage.number)) std::abort();
    }
  });
  return 0;
}
