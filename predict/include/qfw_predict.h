/* Prediction with networks that `qfw export RUN MODEL.onnx` wrote in the form `exact`: the same bits as `qfw eval`, without
 * recipes, training or data sets.
 *
 *   qfw_model* model = qfw_model_open("model.onnx", NULL, error, sizeof error);
 *   qfw_info info = {0};
 *   info.size = sizeof info;
 *   qfw_model_info(model, &info);
 *   float* logits = malloc(info.classes * sizeof *logits);
 *   if (qfw_predict_file(model, "boot.png", logits) != QFW_OK) puts(qfw_last_error());
 *   qfw_score best;
 *   qfw_top(logits, info.classes, 1, &best);
 *   qfw_model_close(model);
 *
 * Shapes. Images are [height, width, channels], row-major, channels innermost, of the sizes that qfw_model_info tells; logits
 * are `classes` floats an image, image after image. What an image's logits are depends on that image alone, never on how many
 * are given at once, on threads or on the backend.
 *
 * Threads. Any number of threads may call any function on one model at the same time, but for qfw_model_close, which must be the
 * last call and alone. A model computes in `lanes` threads of its own: a call waits for a free one, and a lane computes with
 * `threads` threads. One lane with many threads answers a single call soonest; as many lanes as there are cores, with one thread
 * each, answer the most calls in a second. A lane holds its own packed copy of the weights. A model does not survive fork() in
 * the child: open it there.
 *
 * Ownership. What a caller passes stays the caller's and is not kept after the call returns. What qfw_info points to lives until
 * the model is closed, what qfw_last_error returns until the next call of a function here on that thread.
 *
 * Errors. A function that fails returns something else than QFW_OK (or NULL) and leaves a sentence for qfw_last_error() of the
 * calling thread; logits are then not to be read. Nothing here prints, exits, or lets an exception through.
 */
#ifndef QFW_PREDICT_H
#define QFW_PREDICT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#define QFW_PREDICT_API __attribute__((visibility("default")))
#else
#define QFW_PREDICT_API
#endif

typedef enum qfw_status {
  QFW_OK = 0,
  QFW_ERROR_USAGE = 1,   /* an argument that cannot be: a null pointer, an option's value, a picture of an impossible shape */
  QFW_ERROR_DATA = 2,    /* a file or picture that cannot be used, and why */
  QFW_ERROR_INTERNAL = 3 /* out of memory, or a mistake of this library's */
} qfw_status;

/* A network, open. */
typedef struct qfw_model qfw_model;

/* Zero, or NULL, everywhere means the default. */
typedef struct qfw_options {
  size_t size;         /* sizeof(qfw_options): which version of this header the caller was compiled with */
  const char* backend; /* "cpu" (the default), or "reference": plain loops, hundreds of times slower, the same bits */
  int32_t threads;     /* of a lane; 0: OMP_NUM_THREADS, or else one for each core that affinity and cgroup allow */
  int32_t batch;       /* most images that a lane computes at once, 1 to 4096; memory grows with it. 0: at least 16 */
  int32_t lanes;       /* batches that are computed at the same time, 1 to 1024; 0: one */
} qfw_options;

/* What is known of a model. */
typedef struct qfw_info {
  size_t size; /* sizeof(qfw_info), set by the caller: no more than that is written */
  int32_t height, width, channels;
  int32_t classes;
  const char* const* labels; /* of the classes, in order, UTF-8; NULL: they have numbers only */
  const char* form;          /* of the file: "exact" */
  const char* guarantee;     /* what was promised or proven of it when it was exported; may be "" */
  const char* backend;       /* for people: what computes, with how many threads */
  int32_t takes_pictures;    /* 1: the file says how pictures are prepared; 0: qfw_predict_floats alone works */
  int32_t any_size;          /* 1: pictures of any size are cropped and resized; 0: they must have the network's */
  int32_t batch, lanes;      /* as chosen */
} qfw_info;

/* 8-bit pixels, row-major, channels innermost: grey (1) or red, green, blue (3); of another number of channels where the network
 * has as many. */
typedef struct qfw_picture {
  const uint8_t* pixels;
  int32_t height, width, channels;
  size_t row_stride; /* bytes from one row to the next; 0: width * channels */
} qfw_picture;

typedef struct qfw_score {
  int32_t class_index;
  float logit;
  float probability; /* softmax over all classes */
} qfw_score;

/* Reads and checks a file and makes the first lane ready. NULL where that fails: what went wrong is then in `error`, cut to
 * error_size bytes with the ending 0 (NULL, 0: not wanted), and in qfw_last_error(). A file is never trusted: whatever its bytes,
 * the result is a model or a refusal that names what is wrong in it. */
QFW_PREDICT_API qfw_model* qfw_model_open(const char* path, const qfw_options* options, char* error, size_t error_size);
/* The same for a file's bytes. */
QFW_PREDICT_API qfw_model* qfw_model_open_bytes(const void* bytes, size_t size, const qfw_options* options, char* error,
                                                size_t error_size);
/* NULL is allowed. */
QFW_PREDICT_API void qfw_model_close(qfw_model* model);

QFW_PREDICT_API qfw_status qfw_model_info(const qfw_model* model, qfw_info* info);

/* `count` images as the network reads them, prepared: count * height * width * channels finite floats. */
QFW_PREDICT_API qfw_status qfw_predict_floats(const qfw_model* model, const float* images, size_t count, float* logits);
/* `count` pictures, each of a size of its own where the model takes any; prepared as the run's evaluations did. */
QFW_PREDICT_API qfw_status qfw_predict_pixels(const qfw_model* model, const qfw_picture* pictures, size_t count, float* logits);
/* A JPEG, PNG or WebP file, told by its first bytes. One of more than 2^28 bytes or pixels is refused. */
QFW_PREDICT_API qfw_status qfw_predict_file(const qfw_model* model, const char* path, float* logits);
/* The same for a file's bytes. */
QFW_PREDICT_API qfw_status qfw_predict_encoded(const qfw_model* model, const void* bytes, size_t size, float* logits);

/* The k classes with the largest of `classes` logits, the largest first; of equal ones the lower class. Returns how many were
 * written: the lesser of k and classes, 0 for a null pointer. A logit that is no number comes last. */
QFW_PREDICT_API size_t qfw_top(const float* logits, size_t classes, size_t k, qfw_score* scores);

/* Of the last call on this thread; "" after one that succeeded. Never NULL. */
QFW_PREDICT_API const char* qfw_last_error(void);
QFW_PREDICT_API const char* qfw_predict_version(void); /* "0.1.0" */

#ifdef __cplusplus
}
#endif

#endif
