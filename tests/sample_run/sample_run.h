#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace qfw::test {

/// A run folder with numbers like those of a training: every file that pages are made from.
struct SampleRun {
  std::string description = "Fashion-MNIST, a small ResNet with 4-bit weights and activations";
  std::vector<std::string> class_names = {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
                                          "Sandal",      "Shirt",   "Sneaker",  "Bag",   "Ankle boot"};
  int blocks = 4;  ///< of three convolutions and a projection each; 4 kinds of stages
  int weight_bits = 4, act_bits = 4;
  std::int64_t total_steps = 2808, steps_per_epoch = 468, steps = 2808;
  std::int64_t every_steps = 1, bounds_at = 468;
  double accuracy = 0.91, images_per_second = 3800, peak = 9100;
  int image_size = 28;
  std::string state = "finished", error;
  bool setup = true, layers = true, evaluation = true, status = true;
  unsigned seed = 1;

  /// 54 layers, 1000 classes of which 100 are evaluated, a hundred evaluations.
  static SampleRun resnet50();
};

void write_sample_run(const SampleRun& run, const std::filesystem::path& folder);

}  // namespace qfw::test
