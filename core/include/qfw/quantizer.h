#pragma once

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "qfw/builder.h"
#include "qfw/clock.h"

namespace qfw {

/// A convolution or dense layer whose operands a quantizer is asked to quantize.
struct MatmulSite {
  std::string path;  ///< "stage1/block0/conv_1"
  std::variant<Conv2d, Dense> op;
  TensorType src, weights;
  bool src_signed = true;  ///< whether src may be negative

  bool is_dense() const { return std::holds_alternative<Dense>(op); }
};

enum class Role : std::uint8_t { src, weights };

/// A quantized operand: the real number is codes / scale. Codes are floats that happen to lie on the grid, so gradients flow
/// through them as through any value (see straight_through); the core turns them into integers where the product can use them.
/// The grid is checked when the graph is built; whether codes lie on it, in the first step and evaluation of every phase.
struct Operand {
  Operand(Value real) : codes(real) {}  // implicit: a float, left alone
  Operand(Value codes, Value scale, Grid grid) : codes(codes), scale(scale), grid(grid) {}

  Value codes;
  Value scale = 1;           ///< one number, or one per channel of the operand (the last axis; shape [C] or [1, 1, 1, C])
  std::optional<Grid> grid;  ///< none: only a float

  Value real() const { return grid ? codes / scale : codes; }
};

/// Which of its graphs a quantizer wants for a step: an integer of its own meaning, usually a set of flags. One executable is
/// compiled per distinct phase met.
using Phase = std::uint32_t;

/// Adds the ops that quantize operands. One instance per distinct set of options, so per-layer overrides of a recipe are simply
/// another instance; stateless, as statistics and learned step sizes are variables declared in the site's scope.
class QFW_API Quantizer {
 public:
  using Interface = Quantizer;
  static constexpr const char* kind = "quantizer";  ///< its word in recipes

  Quantizer() = default;
  Quantizer(const Quantizer&) = delete;
  Quantizer& operator=(const Quantizer&) = delete;
  virtual ~Quantizer();

  /// Pure and cheap; called for every step and before every evaluation.
  virtual Phase phase(const Clock&) const { return 0; }
  /// The next training step after clock.step at which phase() may change, so that the phases of a long run are found without
  /// asking for each of its steps. The default does not know.
  virtual std::int64_t next_phase_change(const Clock& clock) const { return clock.step + 1; }
  /// For `qfw explain` and logs: "collecting", "weights, activations".
  virtual std::string phase_name(Phase phase) const { return phase == 0 ? "quantizing" : std::to_string(phase); }

  /// A variable that curves show where a recipe asks for the bounds of its layers (metrics.bounds).
  struct Observed {
    std::string variable;  ///< its name below the layer's path: "src/bounds"
    std::string tag;       ///< the curve's, below the same path
  };
  /// Those of each layer that this quantizer is given; it declares them in all of them.
  virtual std::vector<Observed> observed() const { return {}; }

  /// One operand. Called within the scope <site path>/<role>; `operand` is f32 (under compute = bf16 or f16 already rounded to
  /// that). Variables must be declared in every phase, so that checkpoints do not depend on the phase they were written in; the
  /// graphs of all phases are built, and compared, before the first step.
  virtual Operand quantize(GraphBuilder& g, const MatmulSite& site, Role role, Value operand, Phase phase) const = 0;

  /// Both operands, src first: for methods that move range from one to the other. Called within the scope <site path>; enters
  /// a scope of its own, `src` and `weights`, for each. The default calls quantize() for src, then for weights; where `integer`
  /// arithmetic is asked for and src has a scale per channel, it is folded into the weights in between (see take_src_scale).
  virtual std::pair<Operand, Operand> quantize_both(GraphBuilder& g, const MatmulSite& site, Value src, Value weights,
                                                    Phase phase, bool integer) const;

  /// Takes a scale per input channel out of `src`, whose codes stay, with scale 1; returns it in a shape that broadcasts
  /// against the weights, arranged by group. With weights divided by it, what remains is a product of whole numbers.
  static Value take_src_scale(const MatmulSite& site, Operand& src);
};

}  // namespace qfw
