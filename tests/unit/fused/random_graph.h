#pragma once

#include <cstdint>
#include <initializer_list>
#include <random>
#include <vector>

#include "graph_maker.h"

namespace qfw::cpu::testing {

/// Any mix of elementwise ops, broadcasts, views and reductions; of every second one sums are taken in order.
inline Maker random_graph(unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::size_t limit) { return static_cast<std::size_t>(random() % limit); };
  const std::int64_t channels[] = {3, 16, 40, 129};
  // Every twentieth is large enough for several chunks and threads.
  const std::int64_t height = seed % 20 < 2 ? 67 : 3;
  const Shape full{2 + static_cast<std::int64_t>(below(2)), height, 5, channels[below(4)]};
  const Shape flat{full[0] * height * 5, full[3]};
  const std::vector<Shape> narrow{full, full, {full[3]}, {}, {full[0], 1, 1, full[3]}, {1, 1, 5, 1}, flat};

  Maker m;
  m.graph.summation = seed % 2 == 1 ? Summation::free : Summation::in_order;
  std::vector<Use> values;
  for (int i = 0; i < 6; ++i)
    values.push_back(m.input(narrow[below(narrow.size())], random() % 3 == 0 ? DType::bf16 : DType::f32));
  values.push_back(m.number(0.75));
  for (int i = 0; i < 40; ++i) {
    const Use a = values[below(values.size())], b = values[below(values.size())], c = values[below(values.size())];
    const Shape& sa = m.graph.type(a).shape;
    const auto fits = [&](std::initializer_list<Use> uses) {
      Shape met;
      for (const Use use : uses) {
        const Shape& s = m.graph.type(use).shape;
        for (int back = 1; back <= std::min(met.rank(), s.rank()); ++back) {
          const auto x = met[met.rank() - back], y = s[s.rank() - back];
          if (x != y && x != 1 && y != 1) return false;
        }
        met = broadcast(met, s);
      }
      return met.count() <= full.count();
    };
    constexpr Op binary[] = {Op::add, Op::subtract, Op::multiply, Op::minimum, Op::maximum, Op::less, Op::equal};
    constexpr Op unary[] = {Op::relu, Op::abs, Op::negate, Op::floor, Op::tanh};
    const std::size_t unary_ops = seed % 4 == 0 ? 5 : 4;  // tanh is interpreted
    switch (below(9)) {
      case 0:
        values.push_back(m.add(unary[below(unary_ops)], {a}));
        break;
      case 1:
        if (fits({a, b, c})) values.push_back(m.add(Op::select, {a, b, c}));
        break;
      case 2:
        values.push_back(m.cast(a, random() % 2 == 0 ? DType::bf16 : DType::f32));
        break;
      case 3:
        if (sa.rank() > 0)
          values.push_back(m.add(Op::reduce_max, {a}, Reduce{random() % 2 == 0 ? Shape{} : Shape{sa.channels()}}));
        break;
      case 4:
        if (sa == full) values.push_back(m.add(Op::reduce_min, {a}, Reduce{{full[0], 1, 1, full[3]}}));
        break;
      case 5:
        if (sa == full)
          values.push_back(m.add(Op::reshape, {a}, flat));
        else if (sa == flat)
          values.push_back(m.add(Op::reshape, {a}, full));
        else if (sa.rank() == 1 && fits({a, {0, 0}}))
          values.push_back(m.add(Op::reshape, {a}, Shape{1, 1, 1, sa.channels()}));
        break;
      case 6:
        if (sa == flat) values.push_back(m.add(Op::transpose, {a}, Axes{{0, 1}}));
        break;
      default:
        if (fits({a, b})) {
          const Op op = binary[below(7)];
          values.push_back(m.add(op, {a, b}, op == Op::minimum || op == Op::maximum ? Attributes(Ties::half) : Attributes()));
        }
    }
  }
  for (int i = 0; i < 5; ++i) m.fetch(values[values.size() - 1 - below(12)]);

  return m;
}

}  // namespace qfw::cpu::testing
