#include "qfw/hdf5_storage.h"

#include <hdf5.h>

#include "io/hdf5.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;

/// Memory whose calls fail from the `good`-th write on.
class Failing final : public Hdf5Storage {
 public:
  explicit Failing(int good) : good_(good) {}
  std::uint64_t size() const override { return memory_.size(); }
  void read(std::uint64_t offset, std::span<std::byte> to) override { memory_.read(offset, to); }
  void write(std::uint64_t offset, std::span<const std::byte> bytes) override {
    if (good_-- <= 0) fail(Error::Category::data, "test", "the disk is full");
    memory_.write(offset, bytes);
  }
  void resize(std::uint64_t size) override { memory_.resize(size); }

 private:
  int good_;
  Hdf5Memory memory_;
};

void fill(hid_t file, const hdf5::Place& place) {
  std::vector<float> values(3000, 1);
  const TensorType type{{3000}, DType::f32};
  for (int i = 0; i < 40; ++i) {
    const auto data_set = hdf5::create_data_set(file, "group" + std::to_string(i) + "/values", type, place);
    hdf5::write(data_set.get(), {type, std::as_bytes(std::span(values))}, place);
  }
  hdf5::write_attribute(file, "text", std::string(5000, 't'), place);
}

TEST(Hdf5Storage, AFailedWriteIsKeptAndNothingStaysOpen) {
  const hdf5::Lock lock;
  const hdf5::Place place{"target.h5", {}};
  const auto open_objects = [] { return H5Fget_obj_count(static_cast<hid_t>(H5F_OBJ_ALL), H5F_OBJ_ALL); };
  const ssize_t before = open_objects();  // other tests read damaged files
  for (const int good : {0, 1, 2, 5, 20, 40}) {
    Failing storage(good);
    hdf5::Handle file = hdf5::create_file(storage, place);
    try {
      fill(file.get(), place);
    } catch (const Error&) {  // the library may miss what it wrote
    }
    EXPECT_THAT(test::message_of(Error::Category::data, [&] { hdf5::finish_file(file, storage, place); }),
                HasSubstr("the disk is full"))
        << good;
  }
  EXPECT_EQ(open_objects(), before) << "nothing stays open in the library";
}

TEST(Hdf5Storage, MemoryAndFileHoldTheSameBytes) {
  const hdf5::Lock lock;
  const test::TemporaryFolder folder;
  const auto path = folder.path() / "file.h5";
  const hdf5::Place place{path, {}};
  Hdf5Memory memory;
  hdf5::Handle one = hdf5::create_file(memory, place);
  fill(one.get(), place);
  hdf5::finish_file(one, memory, place);
  AtomicFile target(path);
  Hdf5InFile storage(target);
  hdf5::Handle other = hdf5::create_file(storage, place);
  fill(other.get(), place);
  hdf5::finish_file(other, storage, place);
  target.commit();
  EXPECT_TRUE(test::slurp(path) == std::string(reinterpret_cast<const char*>(memory.bytes().data()), memory.bytes().size()));
  EXPECT_GT(H5Fis_hdf5(path.c_str()), 0);
}

}  // namespace
}  // namespace qfw
