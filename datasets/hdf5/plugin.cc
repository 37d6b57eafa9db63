#include "qfw/plugin.h"

#include "dataset.h"
#include "writer.h"

QFW_PLUGIN("dataset:hdf5 writer:hdf5", .name = "hdf5", .version = "0.1.0", .licence = "Apache-2.0",
           .description = "images in one HDF5 file")
(qfw::Registry& registry) {
  registry.add<qfw::hdf5_dataset::Hdf5Dataset>("hdf5",
                                               "an HDF5 file of a group per split: encoded pictures or pixels, and labels");
  registry.add<qfw::hdf5_dataset::Hdf5Writer>("hdf5",
                                              "one HDF5 file, of encoded pictures or, where all are equally large, pixels");
}
