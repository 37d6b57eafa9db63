#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "kernel.h"

/// Kernels that only move elements.
namespace qfw::cpu {
namespace {

class Copy final : public Kernel {
 public:
  Copy(const char* kind, std::size_t bytes, int threads) : kind_(kind), bytes_(bytes), threads_(threads) {}

  const char* kind() const override { return kind_; }
  bool in_place(int, int) const override { return true; }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    const auto* from = static_cast<const std::byte*>(inputs[0]);
    auto* to = static_cast<std::byte*>(outputs[0]);
    if (from == to) return;
    constexpr std::size_t piece = 1 << 18;
    const auto pieces = static_cast<std::ptrdiff_t>((bytes_ + piece - 1) / piece);
    if (pieces == 1) {
      std::memcpy(to, from, bytes_);
      return;
    }
#pragma omp parallel for num_threads(threads_) schedule(static)
    for (std::ptrdiff_t i = 0; i < pieces; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * piece;
      std::memcpy(to + at, from + at, std::min(piece, bytes_ - at));
    }
  }

 private:
  const char* kind_;
  std::size_t bytes_;
  int threads_;
};

/// Axes around and between the two that change places, merged: [before, first, between, second, after].
std::array<std::int64_t, 5> five_axes(const Shape& shape, const Axes& axes) {
  const auto position = [&](int axis) { return axis < 0 ? axis + shape.rank() : axis; };
  const auto [low, high] = std::minmax({position(axes.swap[0]), position(axes.swap[1])});
  std::array<std::int64_t, 5> result{1, 1, 1, 1, 1};
  for (int axis = 0; axis < shape.rank(); ++axis) {
    result[axis < low ? 0 : axis == low ? 1 : axis < high ? 2 : axis == high ? 3 : 4] *= shape[axis];
  }
  if (low == high) result[3] = 1;
  return result;
}

class Transpose final : public Kernel {
 public:
  Transpose(const TensorType& type, const Axes& axes, int threads)
      : extents_(five_axes(type.shape, axes)), size_(size_of(type.dtype)), threads_(threads) {}

  const char* kind() const override { return "transpose"; }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    const std::size_t run_length = static_cast<std::size_t>(extents_[4]) * size_;
    switch (run_length) {
      case 1:
        return move<std::uint8_t>(inputs[0], outputs[0]);
      case 2:
        return move<std::uint16_t>(inputs[0], outputs[0]);
      case 4:
        return move<std::uint32_t>(inputs[0], outputs[0]);
      default:
        return move_runs(run_length, inputs[0], outputs[0]);
    }
  }

 private:
  static constexpr std::int64_t tile_ = 32;

  /// Calls visit(offset from, offset to) for each pair of places, in squares that stay in the first-level cache.
  template <class Visit>
  void for_each(const Visit& visit) const {
    const std::int64_t before = extents_[0], first = extents_[1], between = extents_[2], second = extents_[3];
    const std::int64_t tiles_first = (first + tile_ - 1) / tile_, tiles_second = (second + tile_ - 1) / tile_;
    const std::int64_t work = before * tiles_first * tiles_second;
#pragma omp parallel for num_threads(threads_) schedule(static) if (before * first * between * second > 4096)
    for (std::int64_t w = 0; w < work; ++w) {
      const std::int64_t a = w / (tiles_first * tiles_second);
      const std::int64_t i0 = w / tiles_second % tiles_first * tile_, j0 = w % tiles_second * tile_;
      const std::int64_t i1 = std::min(first, i0 + tile_), j1 = std::min(second, j0 + tile_);
      for (std::int64_t b = 0; b < between; ++b) {
        for (std::int64_t j = j0; j < j1; ++j) {
          for (std::int64_t i = i0; i < i1; ++i) {
            visit(((a * first + i) * between + b) * second + j, ((a * second + j) * between + b) * first + i);
          }
        }
      }
    }
  }

  template <class T>
  void move(const void* from, void* to) const {
    const T* source = static_cast<const T*>(from);
    T* target = static_cast<T*>(to);
    for_each([=](std::int64_t at, std::int64_t goes) { target[goes] = source[at]; });
  }

  void move_runs(std::size_t length, const void* from, void* to) const {
    const auto* source = static_cast<const std::byte*>(from);
    auto* target = static_cast<std::byte*>(to);
    for_each([=](std::int64_t at, std::int64_t goes) { std::memcpy(target + goes * length, source + at * length, length); });
  }

  std::array<std::int64_t, 5> extents_;
  std::size_t size_;
  int threads_;
};

class Broadcast final : public Kernel {
 public:
  Broadcast(const TensorType& from, const TensorType& to, int threads)
      : to_(to.shape), size_(size_of(to.dtype)), threads_(threads) {
    const int missing = to.shape.rank() - from.shape.rank();
    std::int64_t stride = 1;
    for (int axis = to.shape.rank() - 1; axis >= 0; --axis) {
      const std::int64_t extent = axis < missing ? 1 : from.shape[axis - missing];
      strides_[axis] = extent == 1 ? 0 : stride;
      stride *= extent;
    }
    // The longest tail that is either a plain copy or a repetition is moved as one run.
    inner_ = to.shape.rank();
    while (inner_ > 0 && (strides_[inner_ - 1] == 0) == (strides_[to.shape.rank() - 1] == 0)) --inner_;
    repeats_ = to.shape.rank() == 0 || strides_[to.shape.rank() - 1] == 0;
    for (int axis = inner_; axis < to.shape.rank(); ++axis) run_ *= to.shape[axis];
  }

  const char* kind() const override { return "broadcast"; }

  void run(Executable::Step, std::span<const void* const> inputs, std::span<void* const> outputs) override {
    const auto* from = static_cast<const std::byte*>(inputs[0]);
    auto* to = static_cast<std::byte*>(outputs[0]);
    const std::int64_t runs = to_.count() / run_;
#pragma omp parallel for num_threads(threads_) schedule(static) if (to_.count() > 4096)
    for (std::int64_t r = 0; r < runs; ++r) {
      std::int64_t rest = r, at = 0;
      for (int axis = inner_ - 1; axis >= 0; --axis) {
        at += rest % to_[axis] * strides_[axis];
        rest /= to_[axis];
      }
      const std::byte* source = from + at * static_cast<std::int64_t>(size_);
      std::byte* target = to + r * run_ * static_cast<std::int64_t>(size_);
      if (!repeats_) {
        std::memcpy(target, source, static_cast<std::size_t>(run_) * size_);
      } else if (size_ == 4) {
        std::uint32_t word;
        std::memcpy(&word, source, 4);
        std::fill_n(reinterpret_cast<std::uint32_t*>(target), run_, word);
      } else {
        for (std::int64_t i = 0; i < run_; ++i) std::memcpy(target + i * static_cast<std::int64_t>(size_), source, size_);
      }
    }
  }

 private:
  Shape to_;
  std::size_t size_;
  int threads_;
  std::array<std::int64_t, Shape::max_rank> strides_{};
  std::int64_t run_ = 1;
  int inner_ = 0;
  bool repeats_ = false;
};

}  // namespace

std::unique_ptr<Kernel> make_copy(const char* kind, std::size_t bytes, int threads) {
  return std::make_unique<Copy>(kind, bytes, threads);
}

std::unique_ptr<Kernel> make_transpose(const Graph& graph, const Node& node, int threads) {
  return std::make_unique<Transpose>(graph.type(node.inputs[0]), node.as<Axes>(), threads);
}

std::unique_ptr<Kernel> make_broadcast(const Graph& graph, const Node& node, int threads) {
  return std::make_unique<Broadcast>(graph.type(node.inputs[0]), node.outputs[0], threads);
}

}  // namespace qfw::cpu
