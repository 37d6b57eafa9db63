#include "io/checkpoint_version_1.h"

#include <zlib.h>

#include <algorithm>
#include <bit>
#include <limits>

namespace qfw {
namespace {

class Checksum {
 public:
  void add(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const std::size_t some = std::min<std::size_t>(bytes.size(), std::numeric_limits<uInt>::max());
      crc_ = crc32(crc_, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(some));
      bytes = bytes.subspan(some);
    }
  }
  void add(std::uint64_t number) { add(std::as_bytes(std::span(&number, 1))); }
  void add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    add(std::as_bytes(std::span(text)));
  }
  std::uint64_t value() const { return crc_; }

 private:
  uLong crc_ = crc32(0, nullptr, 0);
};

}  // namespace

std::uint64_t sum_of_version_1(const CheckpointContents& contents) {
  const CheckpointInfo& info = contents.info;
  Checksum sum;
  sum.add(static_cast<std::uint64_t>(info.step));
  sum.add(info.data_epoch);
  sum.add(info.data_step);
  sum.add(std::string_view(info.recipe));
  for (const auto& [name, value] : info.metrics) sum.add(std::string_view(name)), sum.add(std::bit_cast<std::uint64_t>(value));
  for (std::size_t i = 0; i < contents.variables.size(); ++i) {
    const CheckpointVariable& variable = contents.variables[i];
    sum.add(std::string_view(variable.name));
    sum.add(std::string_view(variable.type.str()));
    sum.add(std::span<const std::byte>(contents.values[i]));
  }
  return sum.value();
}

void put_contents(Answer& answer, const CheckpointContents& contents) {
  const CheckpointInfo& info = contents.info;
  answer.put(info.step);
  answer.put(info.data_epoch);
  answer.put(info.data_step);
  answer.put_text(info.recipe);
  answer.put<std::uint64_t>(info.metrics.size());
  for (const auto& [name, value] : info.metrics) answer.put_text(name), answer.put(value);
  answer.put<std::uint64_t>(contents.variables.size());
  for (std::size_t i = 0; i < contents.variables.size(); ++i) {
    const auto& [name, type] = contents.variables[i];
    answer.put_text(name);
    answer.put(type.dtype);
    answer.put_list(std::span<const std::int64_t>(type.shape.begin(), type.shape.end()));
    answer.put_list(std::span<const std::byte>(contents.values[i]));
  }
}

CheckpointContents take_contents(Received received) {
  CheckpointContents contents;
  CheckpointInfo& info = contents.info;
  info.step = received.take<std::int64_t>();
  info.data_epoch = received.take<std::uint64_t>();
  info.data_step = received.take<std::uint64_t>();
  info.recipe = received.take_text();
  for (auto left = received.take<std::uint64_t>(); left > 0; --left) {
    std::string name = received.take_text();
    info.metrics.emplace(std::move(name), received.take<double>());
  }
  for (auto left = received.take<std::uint64_t>(); left > 0; --left) {
    std::string name = received.take_text();
    const auto dtype = received.take<DType>();
    const auto extents = received.take_list<std::int64_t>();
    contents.variables.push_back({std::move(name), {Shape(std::span<const std::int64_t>(extents)), dtype}});
    contents.values.push_back(received.take_list<std::byte>());
  }
  return contents;
}

}  // namespace qfw
