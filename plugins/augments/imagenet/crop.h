#pragma once

#include "qfw/image.h"
#include "qfw/random.h"

namespace qfw::imagenet {

struct CropOptions {
  double area_min = 0.08, area_max = 1;               ///< part of the picture's area that is drawn
  double covered_min = 0.1;                           ///< a window that covers less is drawn again
  double aspect_min = 3.0 / 4, aspect_max = 4.0 / 3;  ///< width / height
  int attempts = 10;
};

/// A window drawn as by TensorFlow's sample_distorted_bounding_box with the whole picture as the box: aspect, then height, then
/// place, uniformly; the whole picture if no attempt fits. A window lower than the picture never touches its bottom row, one
/// narrower never its right column.
image::Window random_crop(image::Size picture, const CropOptions& options, RandomStream& random);

}  // namespace qfw::imagenet
