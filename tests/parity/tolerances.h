#pragma once

/// How far numbers may lie from the reference's, and why. tests/golden/README.md tells where the figures come from: the
/// reference's own float32 and float64 runs were compared.
namespace qfw::parity {

/// Where no quantized value has gone to a neighbouring level yet: float32 rounding in another order of summation.
namespace tight {
inline constexpr double loss = 2e-5;              ///< absolute
inline constexpr double logits = 1e-4;            ///< absolute
inline constexpr double gradients = 1e-4;         ///< norm of the difference / norm, over all tensors; momentum, too
inline constexpr double parameter_change = 2e-4;  ///< the same, of parameters minus initial parameters
inline constexpr double parameters = 1e-5;        ///< the same, of parameters
inline constexpr double statistics = 1e-5;        ///< the same: batch statistics, bounds and the statistics behind them
}  // namespace tight

/// After a first such flip, which starts an avalanche: what is left to compare is that training goes the same way. About twice
/// what the reference's two runs differ by.
namespace loose {
inline constexpr double loss = 0.3;
inline constexpr double logits = 0.8;
inline constexpr double parameters = 0.1;
inline constexpr double statistics = 0.15;
}  // namespace loose

/// A step of the reference in which its two runs differ by more in the loss has seen a flip.
inline constexpr double flip = 1e-5;
/// Ways of rounding to try before a miss of the tight tolerances counts: parameters moved by up to so many units in the last
/// place, which moves a loss by 1e-7. A value within a few units of an edge between levels falls on its right side by chance.
inline constexpr int nudged_ulps = 2;
inline constexpr unsigned nudges = 48;
/// Where the reference's two runs differ already (a mask of the backward pass flips before any loss shows it), so may we, by
/// this many times as much.
inline constexpr double own_spread = 5;
/// From a float32 state with its bounds set, a step's gradients see a few masks flip.
inline constexpr double teacher_forced_gradients = 0.1;
/// In an evaluation a flip stays within one image's logits: this part of the images sees none.
inline constexpr double images_without_flips = 0.5;

/// One layer at a time, where no avalanche can start. Codes, scales and masks have none: they are the same bits.
inline constexpr int gradient_ulps = 2;  ///< of quantize and dequantize: three products in the order of the reference
inline constexpr double layer = 1e-5;    ///< of the largest element: the order of a matmul's sum is free
inline constexpr double running_statistics = 2e-6;  ///< relative: sums of some hundred values
inline constexpr double deviation_bounds = 1e-4;    ///< relative: sqrt(mean_sq - mean^2) cancels
inline constexpr float preprocessed = 2e-5f;        ///< of normalised pixels, given the crop: two bicubic passes in float32

inline constexpr double learning_rate = 1e-6;  ///< of the course's largest rate: float32 cancellation in the cosine's tail

}  // namespace qfw::parity
