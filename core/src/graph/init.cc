#include "graph/init.h"

#include <algorithm>
#include <cmath>

#include "qfw/random.h"

namespace qfw {

void initialize(const Variable& variable, std::uint64_t seed, std::span<float> values) {
  RandomStream random(seed, hash_of("init"), hash_of(variable.name));
  switch (variable.init.kind) {
    case Init::Kind::constant:
      std::ranges::fill(values, static_cast<float>(variable.init.value));
      return;
    case Init::Kind::uniform:
      for (float& value : values) value = static_cast<float>((2 * random.uniform() - 1) * variable.init.value);
      return;
    case Init::Kind::lecun_normal: {
      // LeCun et al. 1998: truncated at two standard deviations, then rescaled to variance 1 / fan_in.
      constexpr double truncated_deviation = 0.87962566103423978;
      const Shape& shape = variable.type.shape;
      const double fan_in = std::max<double>(1, static_cast<double>(shape.count()) / static_cast<double>(shape.channels()));
      const double scale = 1 / std::sqrt(fan_in) / truncated_deviation;
      for (float& value : values) {
        double draw = random.normal();
        while (std::abs(draw) > 2) draw = random.normal();
        value = static_cast<float>(draw * scale);
      }
      return;
    }
  }
}

}  // namespace qfw
