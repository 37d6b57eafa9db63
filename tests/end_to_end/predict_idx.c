/* predict_idx MODEL IMAGES COUNT LOGITS FOLDER: predicts the first images of an IDX file (MNIST's form) as pixels with gaps between
 * rows, as floats that nobody prepared, and as PNG files that it leaves in FOLDER. Logits of the pixels go to LOGITS; those of the
 * files must have the same bits. Part of predict.sh. */
#include <png.h>
#include <qfw_predict.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { side = 28, stride = 40, header = 16 };

static void need(int holds, const char* what) {
  if (holds) return;
  fprintf(stderr, "%s: %s\n", what, qfw_last_error());
  exit(1);
}

int main(int words, char** word) {
  char error[1000];
  uint8_t row[side];
  need(words == 6, "usage");
  const size_t count = (size_t)atoi(word[3]);
  FILE* images = fopen(word[2], "rb");
  need(images != NULL && fseek(images, header, SEEK_SET) == 0, word[2]);
  qfw_model* model = qfw_model_open(word[1], NULL, error, sizeof error);
  need(model != NULL, error);
  qfw_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  need(qfw_model_info(model, &info) == QFW_OK, "info");
  need(info.height == side && info.width == side && info.channels == 1 && strcmp(info.form, "exact") == 0, "another model");
  const size_t classes = (size_t)info.classes;

  uint8_t* pixels = calloc(count, side * stride);
  qfw_picture* pictures = calloc(count, sizeof *pictures);
  float* logits = calloc(count * classes, sizeof *logits);
  float* of_file = calloc(classes, sizeof *of_file);
  need(pixels != NULL && pictures != NULL && logits != NULL && of_file != NULL, "memory");
  for (size_t i = 0; i < count; ++i) {
    uint8_t* picture = pixels + i * side * stride;
    for (int y = 0; y < side; ++y) {
      need(fread(row, 1, side, images) == side, word[2]);
      memcpy(picture + y * stride, row, side);
    }
    pictures[i] = (qfw_picture){picture, side, side, 1, stride};
  }
  need(qfw_predict_pixels(model, pictures, count, logits) == QFW_OK, "pixels");
  for (size_t i = 0; i < count; ++i) {
    char name[1000];
    snprintf(name, sizeof name, "%s/%03zu.png", word[5], i);
    png_image png;
    memset(&png, 0, sizeof png);
    png.version = PNG_IMAGE_VERSION;
    png.width = png.height = side;
    png.format = PNG_FORMAT_GRAY;
    need(png_image_write_to_file(&png, name, 0, pictures[i].pixels, stride, NULL), name);
    need(qfw_predict_file(model, name, of_file) == QFW_OK, name);
    need(memcmp(of_file, logits + i * classes, classes * sizeof *of_file) == 0, "a file has other logits than its pixels");
  }
  FILE* out = fopen(word[4], "wb");
  need(out != NULL && fwrite(logits, sizeof *logits, count * classes, out) == count * classes && fclose(out) == 0, word[4]);
  qfw_model_close(model);
  free(of_file);
  free(logits);
  free(pictures);
  free(pixels);
  fclose(images);
  return 0;
}
