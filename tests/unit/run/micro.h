#pragma once

#include <fstream>
#include <string>
#include <vector>

#include "run/session.h"
#include "support/evaluate.h"

namespace qfw::test {

/// Six steps of a tiny quantized network on made-up images, evaluated after the second, the fourth and the last, in FOLDER/r.
inline Recipe micro_recipe(const std::filesystem::path& folder, std::vector<std::string> overrides = {}) {
  const auto file = folder / "micro.ini";
  std::ofstream(file) << R"([model]
name = resnet
stages = 1
num_filters = 4
filter_multiplier = 0.5
stem = small

[quantizer]
name = weights_and_auto_acts
weight_prec = 4
act_prec = 4
activation_bound_start_step = 3

[schedule]
name = cosine
base_learning_rate = 0.1
num_epochs = 3
warmup_epochs = 0.1
cooldown_epochs = 0

[dataset]
name = synthetic
height = 16
width = 16
classes = 4
train_examples = 16
validation_examples = 20

[train]
batch_size = 8
steps = 6

[eval]
batch_size = 8
every_epochs = 1
per_epoch = 0
per_epoch_late = 0

[checkpoint]
keep = 9

[backend]
name = cpu
threads = 1
)";
  overrides.insert(overrides.begin(), "run.dir=" + (folder / "r").string());
  return load_recipe(file, overrides, testing::catalog(), Session::Data::required);
}

}  // namespace qfw::test
