#include "subnormals.h"

#include <algorithm>
#include <cmath>

namespace qfw::onnx {

namespace {

constexpr int smallest_normal = -126, smallest = -149;
constexpr int none = 1 << 20;  ///< the exponent of a value that is zero everywhere
constexpr int digits = 24;

int exponent_of(float value) { return std::ilogb(value); }

/// The largest e for which the value is a multiple of 2^e.
int grain_of(float value) {
  int exponent = 0;
  const auto whole = static_cast<std::int64_t>(std::ldexp(std::frexp(std::fabs(value), &exponent), digits));
  return exponent - digits + __builtin_ctzll(static_cast<unsigned long long>(whole));
}

}  // namespace

Subnormals::Subnormals(const Graph& graph, const Constants& constants, const std::vector<float>& pixels)
    : graph_(graph),
      constants_(constants),
      bounds_(graph),
      images_(pixels.empty() ? Exponents{smallest, smallest} : of_numbers(pixels)),
      users_(graph.nodes.size()) {
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    for (const Use use : graph.nodes[static_cast<std::size_t>(number)].inputs) {
      users_[static_cast<std::size_t>(use.node)].push_back(number);
    }
  }
  for (int number = 0; number < static_cast<int>(graph.nodes.size()); ++number) {
    const Use use{number, 0};
    Exponents found = constants.has(use) ? Exponents{none, none} : result(graph.nodes[static_cast<std::size_t>(number)]);
    const bool flush = found.least < smallest_normal && !is_absorbed(use, smallest_normal);
    if (flush) found.least = smallest_normal;
    known_.push_back(found);
    flushed_.push_back(flush);
  }
}

Subnormals::Exponents Subnormals::of_numbers(const std::vector<float>& numbers) {
  Exponents found{none, none};
  for (const float number : numbers) {
    if (number == 0 || !std::isfinite(number)) continue;
    found = {std::min(found.least, exponent_of(number)), std::min(found.grain, grain_of(number))};
  }
  return found;
}

Subnormals::Exponents Subnormals::of(Use use) const {
  return constants_.has(use) ? of_numbers(constants_.numbers(use)) : known_[static_cast<std::size_t>(use.node)];
}

/// What any number added to a constant is a multiple of. With 2^e the constant's size: a number of at least 2^(e - 1) has no
/// digit below 2^(e - 24), and beside a smaller one the sum is at least 2^(e - 1).
int Subnormals::beside_constant(Use use) const {
  if (!constants_.has(use)) return smallest;
  int least = none;
  for (const float number : constants_.numbers(use)) {
    least = std::min(least, number == 0 || !std::isfinite(number) ? smallest : exponent_of(number));
  }
  return std::max(least - digits, smallest);
}

Subnormals::Exponents Subnormals::result(const Node& node) const {
  const auto operand = [&](int i) { return of(node.inputs[static_cast<std::size_t>(i)]); };
  if (!is_float(node.outputs[0].dtype)) return {0, 0};
  switch (node.op) {
    case Op::input:
      return images_;
    case Op::multiply: {
      const Exponents a = operand(0), b = operand(1);
      return {std::max(a.least + b.least, smallest), std::max(a.grain + b.grain, smallest)};
    }
    case Op::divide: {
      if (!constants_.has(node.inputs[1])) return {smallest, smallest};
      int largest = smallest;
      for (const float number : constants_.numbers(node.inputs[1])) {
        if (number != 0) largest = std::max(largest, exponent_of(number) + 1);
      }
      const int least = std::max(operand(0).least - largest, smallest);
      return {least, std::max(least - digits, smallest)};
    }
    case Op::add:
    case Op::subtract:
    case Op::minimum:
    case Op::maximum: {
      const Exponents a = operand(0), b = operand(1);
      const int grain = std::min(a.grain, b.grain);
      if (node.op == Op::minimum || node.op == Op::maximum || a.grain == none || b.grain == none) {
        return {std::min(a.least, b.least), grain};
      }
      const int beside = std::max(beside_constant(node.inputs[0]), beside_constant(node.inputs[1]));
      return {std::max(grain, beside), std::max(grain, beside)};
    }
    case Op::select: {
      const Exponents a = operand(1), b = operand(2);
      return {std::min(a.least, b.least), std::min(a.grain, b.grain)};
    }
    case Op::cast:
    case Op::relu:
    case Op::negate:
    case Op::abs:
    case Op::max_pool:
    case Op::reduce_max:
    case Op::reduce_min:
    case Op::reshape:
    case Op::transpose:
    case Op::broadcast_to:
      return operand(0);
    case Op::sum:
      return {operand(0).grain, operand(0).grain};
    case Op::floor:
    case Op::round_even:
    case Op::less:
    case Op::less_equal:
    case Op::equal:
      return {0, 0};
    default:
      return {smallest, smallest};
  }
}

bool Subnormals::is_fetched(Use use) const {
  return std::ranges::any_of(graph_.fetches, [&](const Fetch& fetch) { return fetch.use.node == use.node; });
}

bool Subnormals::is_absorbed(Use use, int bound) {
  if (is_fetched(use)) return false;
  return std::ranges::all_of(users_[static_cast<std::size_t>(use.node)], [&](int user) {
    return is_absorbed_by(graph_.nodes[static_cast<std::size_t>(user)], {user, 0}, bound);
  });
}

bool Subnormals::is_absorbed_by(const Node& node, Use use, int bound) {
  std::vector<float> numbers;  // of the other operand
  if (node.inputs.size() == 2) {
    const int other = constants_.has(node.inputs[0]) ? 0 : 1;
    if (!constants_.has(node.inputs[static_cast<std::size_t>(other)])) return false;
    numbers = constants_.numbers(node.inputs[static_cast<std::size_t>(other)]);
  }
  const auto all = [&](auto&& holds) { return std::ranges::all_of(numbers, holds); };
  switch (node.op) {
    case Op::cast:  // 2^bound itself is what the nearest number cannot exceed
      return is_float(node.outputs[0].dtype) && is_absorbed(use, bound + 1);
    case Op::relu:
    case Op::max_pool:
    case Op::reshape:
    case Op::transpose:
      return is_absorbed(use, bound);
    case Op::multiply: {
      int growth = 0;
      for (const float number : numbers) {
        if (!std::isfinite(number)) return false;
        if (number != 0) growth = std::max(growth, exponent_of(number) + 1);
      }
      return is_absorbed(use, bound + growth);
    }
    case Op::minimum:
    case Op::maximum:
      return all([&](float number) { return number == 0 || exponent_of(number) >= bound; }) && is_absorbed(use, bound);
    case Op::add:
    case Op::subtract:  // half of the last digit of the other operand
      return all([&](float number) { return number != 0 && exponent_of(number) > bound + digits; });
    case Op::round_even:
      return bound <= -1;
    case Op::floor:
      return bound <= 0 && is_absorbed_by_floor(node, use);
    default:
      return false;
  }
}

/// Of a floor the operand of which is near zero: it gives 0 or -1.
bool Subnormals::is_absorbed_by_floor(const Node& floor, Use use) {
  if (bounds_.of(floor.inputs[0]).low >= 0) return true;
  if (is_fetched(use)) return false;
  return std::ranges::all_of(users_[static_cast<std::size_t>(use.node)], [&](int number) {
    const Node& user = graph_.nodes[static_cast<std::size_t>(number)];
    if (user.op != Op::maximum) return false;
    const Use limit = user.inputs[0] == use ? user.inputs[1] : user.inputs[0];
    return constants_.has(limit) && std::ranges::all_of(constants_.numbers(limit), [](float low) { return low >= 0; });
  });
}

}  // namespace qfw::onnx
