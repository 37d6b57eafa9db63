/* Names what pictures show, with a network that `qfw export RUN MODEL.onnx` wrote:
 *
 *   predict MODEL.onnx PICTURE...
 *
 * Built against an installed qfw, by examples/CMakeLists.txt or by
 *
 *   cc -std=c99 predict.c $(pkg-config --cflags --libs qfw_predict) -o predict
 */
#include <qfw_predict.h>
#include <stdio.h>
#include <stdlib.h>

enum { shown = 5 };

static void print_scores(const qfw_info* info, const float* logits) {
  qfw_score scores[shown];
  size_t count = qfw_top(logits, (size_t)info->classes, shown, scores), i;
  for (i = 0; i < count; ++i) {
    printf("  %2zu  ", i + 1);
    if (info->labels != NULL) {
      printf("%s", info->labels[scores[i].class_index]);
    } else {
      printf("class %d", (int)scores[i].class_index);
    }
    printf("  %.2f %%  (%.9g)\n", 100 * scores[i].probability, scores[i].logit);
  }
}

int main(int count, char** words) {
  char error[1024];
  int i, failures = 0;
  if (count < 3) {
    fprintf(stderr, "usage: predict MODEL.onnx PICTURE...\n");
    return 2;
  }
  qfw_model* model = qfw_model_open(words[1], NULL, error, sizeof error);
  if (model == NULL) {
    fprintf(stderr, "%s\n", error);
    return 1;
  }
  qfw_info info = {0};
  float* logits = NULL;
  info.size = sizeof info;
  if (qfw_model_info(model, &info) == QFW_OK) logits = malloc((size_t)info.classes * sizeof *logits);
  if (logits == NULL) {
    fprintf(stderr, "no room for the logits\n");
    qfw_model_close(model);
    return 1;
  }
  fprintf(stderr, "%d x %d x %d, %d classes, %s\n%s\n", (int)info.height, (int)info.width, (int)info.channels, (int)info.classes,
          info.backend, info.guarantee);
  for (i = 2; i < count; ++i) {
    printf("%s\n", words[i]);
    if (qfw_predict_file(model, words[i], logits) == QFW_OK) {
      print_scores(&info, logits);
    } else {
      fprintf(stderr, "%s\n", qfw_last_error());
      ++failures;
    }
  }
  free(logits);
  qfw_model_close(model);
  return failures == 0 ? 0 : 1;
}
