#include "io/event_file.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <map>
#include <optional>

#include "qfw/atomic_file.h"
#include "support.h"

namespace qfw {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

/// Protocol buffers' wire format, read independently of the code under test.
struct Field {
  int number = 0;
  std::uint64_t number_value = 0;  ///< varint, or the bits of a fixed-size value
  std::string bytes;
};

std::vector<Field> fields(const std::string& message) {
  std::vector<Field> all;
  std::size_t at = 0;
  const auto varint = [&] {
    std::uint64_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<unsigned char>(message.at(at++));
      value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.size()) {
    const std::uint64_t key = varint();
    Field field{.number = static_cast<int>(key >> 3)};
    const std::size_t fixed = (key & 7) == 1 ? 8 : (key & 7) == 5 ? 4 : 0;
    if ((key & 7) == 0) {
      field.number_value = varint();
    } else if (fixed > 0) {
      std::memcpy(&field.number_value, message.substr(at, fixed).data(), fixed);
      at += fixed;
    } else if ((key & 7) == 2) {
      const std::size_t length = varint();
      field.bytes = message.substr(at, length);
      at += length;
    } else {
      throw std::runtime_error("wire type");
    }
    all.push_back(field);
  }
  return all;
}

std::optional<Field> field(const std::string& message, int number) {
  for (auto& candidate : fields(message)) {
    if (candidate.number == number) return candidate;
  }
  return std::nullopt;
}

template <class To>
To bits(std::uint64_t value) {
  To to;
  std::memcpy(&to, &value, sizeof to);
  return to;
}

/// Bit by bit, unlike the table of the code under test.
std::uint32_t slow_masked_crc(const std::string& bytes) {
  std::uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc ^= static_cast<unsigned char>(byte);
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
  }
  crc = ~crc;
  return (crc >> 15 | crc << 17) + 0xa282ead8u;
}

std::vector<std::string> records(const fs::path& path) {
  const std::string file = test::slurp(path);
  std::vector<std::string> all;
  for (std::size_t at = 0; at < file.size();) {
    std::uint64_t length = 0;
    std::uint32_t length_crc = 0, crc = 0;
    std::memcpy(&length, file.data() + at, 8);
    std::memcpy(&length_crc, file.data() + at + 8, 4);
    EXPECT_EQ(length_crc, slow_masked_crc(file.substr(at, 8)));
    const std::string record = file.substr(at + 12, length);
    EXPECT_EQ(record.size(), length);
    std::memcpy(&crc, file.data() + at + 12 + length, 4);
    EXPECT_EQ(crc, slow_masked_crc(record));
    all.push_back(record);
    at += 16 + length;
  }
  return all;
}

std::map<std::string, float> values(const std::string& record) {
  std::map<std::string, float> all;
  const auto summary = field(record, 5);
  if (!summary) return all;
  for (const auto& value : fields(summary->bytes)) {
    all[field(value.bytes, 1)->bytes] = bits<float>(field(value.bytes, 2)->number_value);
  }
  return all;
}

TEST(Crc32c, KnownValues) {  // RFC 3720, B.4, and the usual check value
  const auto crc = [](const std::string& text) { return crc32c(std::as_bytes(std::span(text))); };
  EXPECT_EQ(crc("123456789"), 0xe3069283u);
  EXPECT_EQ(crc(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc(""), 0u);
  const std::string text = "qfw";
  EXPECT_EQ(masked_crc32c(std::as_bytes(std::span(text))), slow_masked_crc(text));
}

TEST(EventFile, WritesScalarsThatReadBack) {
  const test::TemporaryFolder folder;
  fs::path path;
  {
    EventFile events(folder.path());
    path = events.path();
    EXPECT_THAT(path.filename().string(), testing::MatchesRegex("events\\.out\\.tfevents\\.[0-9]{10}\\..+"));
    events.scalar("train_loss", 1, 2.5);
    const std::pair<std::string, double> two[] = {{"eval_loss", 0.75}, {"steps per second", std::nan("")}};
    events.scalars(300, two);
  }
  const auto all = records(path);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(field(all[0], 3)->bytes, "brain.Event:2");
  EXPECT_NEAR(bits<double>(field(all[0], 1)->number_value), static_cast<double>(time(nullptr)), 100);
  EXPECT_EQ(field(all[1], 2)->number_value, 1u);
  EXPECT_EQ(values(all[1]), (std::map<std::string, float>{{"train_loss", 2.5f}}));
  EXPECT_EQ(field(all[2], 2)->number_value, 300u);
  EXPECT_EQ(values(all[2]).at("eval_loss"), 0.75f);
  EXPECT_TRUE(std::isnan(values(all[2]).at("steps per second")));
}

TEST(EventFile, AResumedRunOpensANewFileAndSaysWhereItStarts) {
  const test::TemporaryFolder folder;
  EventFile first(folder.path()), second(folder.path(), 40);
  EXPECT_LT(first.path(), second.path()) << "TensorBoard reads them in this order";
  const auto all = records(second.path());
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(field(all[1], 2)->number_value, 40u);
  EXPECT_EQ(field(field(all[1], 7)->bytes, 1)->number_value, 1u);  // session_log.status = START
  EXPECT_EQ(records(first.path()).size(), 1u);
}

TEST(EventFile, FlushesOnRequestAndAfterAWhile) {
  const test::TemporaryFolder folder;
  EventFile patient(folder.path(), 0, 1000), eager(folder.path(), 0, 0);
  patient.scalar("a", 1, 1);
  eager.scalar("a", 1, 1);
  EXPECT_EQ(records(patient.path()).size(), 1u);
  EXPECT_EQ(records(eager.path()).size(), 2u);
  patient.flush();
  patient.flush();
  EXPECT_EQ(records(patient.path()).size(), 2u);
}

TEST(EventFile, HistogramsCountEveryFiniteValue) {
  const test::TemporaryFolder folder;
  EventFile events(folder.path(), 0, 0);
  const std::vector<float> bounds{1, 2, 2, 5, std::numeric_limits<float>::infinity()};
  events.histogram("conv/GetBounds_0/bounds", 7, bounds);
  events.histogram("same", 7, std::vector<float>{3, 3});
  events.histogram("none", 7, {});
  const auto all = records(events.path());
  ASSERT_EQ(all.size(), 3u);
  const auto histogram = field(field(field(all[1], 5)->bytes, 1)->bytes, 5)->bytes;
  EXPECT_EQ(bits<double>(field(histogram, 1)->number_value), 1.0);
  EXPECT_EQ(bits<double>(field(histogram, 2)->number_value), 5.0);
  EXPECT_EQ(bits<double>(field(histogram, 3)->number_value), 4.0);
  EXPECT_EQ(bits<double>(field(histogram, 4)->number_value), 10.0);
  EXPECT_EQ(bits<double>(field(histogram, 5)->number_value), 34.0);
  for (const auto& record : {all[1], all[2]}) {
    const auto packed = field(field(field(field(record, 5)->bytes, 1)->bytes, 5)->bytes, 7)->bytes;
    const auto limits = field(field(field(field(record, 5)->bytes, 1)->bytes, 5)->bytes, 6)->bytes;
    EXPECT_EQ(packed.size(), limits.size());
    double total = 0;
    for (std::size_t i = 0; i < packed.size(); i += 8) {
      double count;
      std::memcpy(&count, packed.data() + i, 8);
      total += count;
    }
    EXPECT_EQ(total, record == all[1] ? 4 : 2);
  }
}

TEST(EventFile, FailuresNameTheFile) {
  const test::TemporaryFolder folder;
  const auto missing = folder.path() / "missing";
  EXPECT_THAT(test::message_of(Error::Category::data, [&] { EventFile events(missing); }), HasSubstr(missing.string()));
}

TEST(EventFile, TensorBoardReadsIt) {
  if (std::system("python3 -c 'import tensorboard' 2>/dev/null") != 0) GTEST_SKIP() << "python3 has no module tensorboard";
  const test::TemporaryFolder folder;
  {
    EventFile first(folder.path());
    for (int step = 1; step <= 10; ++step) first.scalar("train_loss", step, 10 - step);
  }
  {
    EventFile second(folder.path(), 5);
    for (int step = 6; step <= 8; ++step) second.scalar("train_loss", step, 100 + step);
    second.histogram("bounds", 8, std::vector<float>{1, 2, 3});
  }
  const auto script = folder.path() / "read.py";
  write_text_atomically(script, R"(import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
accumulator = EventAccumulator(sys.argv[1], size_guidance={"scalars": 0})
accumulator.Reload()
found = [(event.step, event.value) for event in accumulator.Scalars("train_loss")]
expected = [(step, 10.0 - step) for step in range(1, 5)] + [(step, 100.0 + step) for step in range(6, 9)]
histogram = accumulator.Histograms("bounds")[0].histogram_value
sys.exit(0 if found == expected and histogram.num == 3 else str(found))
)");
  EXPECT_EQ(std::system(("python3 '" + script.string() + "' '" + folder.path().string() + "'").c_str()), 0);
}

TEST(EventFile, WhatCannotBeWrittenIsWrittenLaterAndOnce) {
  const test::TemporaryFolder whole, disturbed;
  rlimit before{}, small{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  EventFile good(whole.path()), bad(disturbed.path());
  for (int step = 0; step < 100; ++step) {
    good.scalar("loss", step, step);
    bad.scalar("loss", step, step);
    if (step % 10 != 5) continue;
    small = before;
    small.rlim_cur = 300;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    bad.flush();
    setrlimit(RLIMIT_FSIZE, &before);
  }
  std::signal(SIGXFSZ, handler);
  good.flush();
  bad.flush();
  EXPECT_EQ(test::slurp(bad.path()).size(), test::slurp(good.path()).size());
  EXPECT_NE(test::slurp(bad.path()).size(), 300u);
}

}  // namespace
}  // namespace qfw
