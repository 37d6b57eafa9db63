#include "integer_operands.h"

#include <fmt/format.h>

#include "launch.h"

namespace qfw::cuda {
namespace {

constexpr std::int64_t side = 64;  // of what a block packs for tiles
constexpr std::size_t alignment = 256;

std::size_t aligned(std::size_t bytes) { return (bytes + alignment - 1) / alignment * alignment; }

}  // namespace

IntegerOperands::IntegerOperands(Device& device, const ProductShape& product, const ProductParts& parts, Weights weights,
                                 const std::string& where)
    : device_(device), packed_(weights == Weights::packed), group_in_(parts.group_in), padded_(parts.padded) {
  using Way = ProductParts::Way;
  if (parts.parts.empty()) return;
  for (const auto& [geometry, packing] : parts.parts) {
    const std::int64_t taps = std::int64_t{packing.taps[0]} * packing.taps[1];
    const bool tiles = parts.way == Way::tiles;
    const std::int64_t bytes = packing.columns * (tiles ? packing.depth : taps * packing.padded);
    Part part{.packing = packing, .shape = {}, .at = packed_bytes_, .bytes = static_cast<std::size_t>(bytes)};
    if (tiles) {
      part.shape = {.grid = {static_cast<unsigned>((packing.columns + side - 1) / side),
                             static_cast<unsigned>((packing.depth + side - 1) / side), 1},
                    .block = {threads_a_block, 1, 1},
                    .barriers = true};
    } else {
      part.shape = one_thread_each(parts.way == Way::groups ? bytes / 4 : bytes, where);
    }
    packed_bytes_ += aligned(part.bytes);
    parts_.push_back(part);
  }
  const char* const packing = parts.way == Way::tiles ? "tiles" : parts.way == Way::groups ? "words" : "channels";
  std::vector<KernelSource> sources{
      kernel_source(fmt::format("pack_{}_of_weights", packing),
                    fmt::format("const s8* weights, {}* to, Packing p", parts.way == Way::groups ? "unsigned" : "s8"),
                    fmt::format("pack_{}(weights, to, p);", packing))};
  if (parts.way == Way::tiles && padded_ != group_in_) {
    const Shape& read = product.kind == ProductShape::Kind::forward ? product.src : product.dst;
    src_groups_ = as_int(read[0] * read[1] * read[2] * product.conv.groups, "pixels x groups", where);
    const std::int64_t bytes = std::int64_t{src_groups_} * padded_;
    padded_bytes_ = aligned(static_cast<std::size_t>(bytes));
    pad_shape_ = one_thread_each(bytes / 4, where);
    sources.push_back(kernel_source("pad_channels_of_codes",
                                    "const u8* from, unsigned* to, int pixel_groups, int group_in, int padded",
                                    "pad_channels(from, to, pixel_groups, group_in, padded);"));
  }
  const std::vector<std::shared_ptr<Function>> functions = device.load(sources);
  pack_ = functions[0];
  if (functions.size() > 1) pad_ = functions[1];
}

std::string IntegerOperands::describe() const {
  std::string text;
  if (padded_bytes_ > 0) text = fmt::format(", channels padded to {}", padded_);
  return text + (packed_ ? ", packed once" : "");
}

void IntegerOperands::pack(const std::byte* weights, Address to) {
  for (const Part& part : parts_) {
    if (part.bytes > 0) launch(device_, *pack_, part.shape, weights, to + part.at, part.packing);
  }
}

void IntegerOperands::pack_once(std::shared_ptr<const DeviceMemory> weights) {
  packed_ = true;
  kept_ = DeviceMemory(device_, packed_bytes_);
  weights_ = std::move(weights);
  pack(weights_->data(), kept_.data());
}

IntegerOperands::Read IntegerOperands::prepare(std::span<const std::byte* const> inputs, Address scratch) {
  Read read{inputs[0], kept_.data() != nullptr ? kept_.data() : inputs[1]};
  if (!packed_) {
    pack(inputs[1], scratch + padded_bytes_);
    read.weights = scratch + padded_bytes_;
  }
  if (padded_bytes_ > 0) {
    launch(device_, *pad_, pad_shape_, read.images, scratch, src_groups_, group_in_, padded_);
    read.images = scratch;
  }
  return read;
}

}  // namespace qfw::cuda
