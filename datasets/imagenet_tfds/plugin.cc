#include "qfw/plugin.h"

#include "dataset.h"
#include "writer.h"

QFW_PLUGIN("dataset:imagenet_tfds writer:tfds", .name = "imagenet_tfds", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "image classification in the layout of TensorFlow Datasets")
(qfw::Registry& registry) {
  registry.add<qfw::tfds::Tfds>(
      "imagenet_tfds", "any image classification folder of TensorFlow Datasets: TFRecord shards and dataset_info.json");
  registry.add<qfw::tfds::TfdsWriter>("tfds", "a folder that TensorFlow Datasets reads");
}
