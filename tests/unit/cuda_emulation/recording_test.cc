// What of events a driver refuses where work is recorded, the emulated device refuses, too.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulated_device.h"

namespace {

using qfw::cuda::DeviceMemory;
using qfw::cuda::Stream;

class Recording : public testing::Test {
 protected:
  void copy(Stream stream = Stream::compute) { device->copy(stream, to.data(), from.data(), 16); }
  template <class Call>
  std::string refusal_of(const Call& call) {
    try {
      call();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }

  std::unique_ptr<qfw::cuda::Device> device = emulated::make_device();
  DeviceMemory from{*device, 16}, to{*device, 16};
  std::unique_ptr<qfw::cuda::Event> event = device->make_event();
};

TEST_F(Recording, WaitsForEventsOfItsOwnAlone) {
  device->record(Stream::copy, *event);
  EXPECT_THAT(refusal_of([&] { device->record_all([&] { device->wait(Stream::compute, *event); }); }),
              testing::HasSubstr("not recorded with it"));
  const auto own = [&] {
    device->record(Stream::compute, *event);
    device->wait(Stream::reduce, *event);
    copy(Stream::reduce);
    device->record(Stream::reduce, *event);
    device->wait(Stream::compute, *event);
  };
  const auto first = device->record_all(own);
  EXPECT_THAT(refusal_of([&] { device->record_all([&] { device->wait(Stream::compute, *event); }); }),
              testing::HasSubstr("not recorded with it"));
  device->record_all(own)->replay();
  first->replay();
  device->synchronize(Stream::compute);
}

TEST_F(Recording, ItsEventsServeNowhereElseUntilTheyAreRecordedAnew) {
  const auto recording = device->record_all([&] {
    copy();
    device->record(Stream::compute, *event);
  });
  recording->replay();
  EXPECT_THAT(refusal_of([&] { device->wait(Stream::copy, *event); }), testing::HasSubstr("waited for beside it"));
  EXPECT_THAT(refusal_of([&] { device->seconds(*event, *event); }), testing::HasSubstr("asked for its time"));
  device->record(Stream::compute, *event);
  device->wait(Stream::copy, *event);
  device->synchronize(Stream::copy);
  EXPECT_EQ(device->seconds(*event, *event), 0);
}

TEST_F(Recording, HoldsNoOther) {
  const auto recording = device->record_all([&] { copy(); });
  EXPECT_THAT(refusal_of([&] { device->record_all([&] { device->record_all([] {}); }); }),
              testing::HasSubstr("within another"));
  EXPECT_THAT(refusal_of([&] { device->record_all([&] { recording->replay(); }); }), testing::HasSubstr("replayed while"));
}

}  // namespace
