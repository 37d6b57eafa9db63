#include "qfw/plugin.h"

#include "dataset.h"
#include "writer.h"

QFW_PLUGIN("dataset:image_folder writer:image_folder", .name = "image_folder", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "image files in a folder per class")
(qfw::Registry& registry) {
  registry.add<qfw::image_folder::ImageFolder>(
      "image_folder", "JPEG, PNG and WebP files in DATA_DIR/{train,val}/CLASS/, or a flat val folder with a list of labels");
  registry.add<qfw::image_folder::ImageFolderWriter>("image_folder",
                                                     "image files in FOLDER/SPLIT/CLASS/, as torchvision reads");
}
