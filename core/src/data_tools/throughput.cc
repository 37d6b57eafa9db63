#include "data_tools/throughput.h"

#include <algorithm>
#include <chrono>
#include <functional>

#include "data/pipeline.h"
#include "qfw/error.h"
#include "qfw/image.h"
#include "qfw/interrupt.h"
#include "util/parallel.h"

namespace qfw {

namespace {

double rate_of(std::int64_t images, const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return static_cast<double>(images) / std::max(seconds, 1e-9);
}

/// Like parallel_for, but a thread takes a run of neighbours at a time, as the pipeline's workers do.
void in_runs(int threads, std::int64_t count, const std::function<void(std::int64_t)>& work) {
  constexpr std::int64_t run = 16;
  parallel_for(threads, (count + run - 1) / run, [&](std::int64_t block) {
    stop_if_interrupted("data");
    for (std::int64_t i = block * run; i < std::min(count, (block + 1) * run); ++i) work(i);
  });
}

}  // namespace

std::vector<Throughput> measure_input(const Dataset& dataset, const Augment& augment, std::string_view split,
                                      std::int64_t examples, std::int64_t batch, int workers) {
  const std::int64_t count = std::min(examples, dataset.size(split));
  const Shape shape = augment.output(dataset.shape());
  const bool encoded = count > 0 && dataset.get(split, 0).encoding != Example::Encoding::pixels;
  std::vector<int> threads;
  for (int n = 1; n < workers; n *= 2) threads.push_back(n);
  threads.push_back(workers);

  std::vector<Throughput> results;
  for (const int n : threads) {
    const auto add = [&](const char* stage, std::int64_t images, const std::function<void()>& work) {
      results.push_back({stage, n, rate_of(images, work)});
    };
    const auto read = [&](std::int64_t i) { dataset.get(split, i); };
    in_runs(n, count, read);  // so that the first stage does not pay for the disk
    add("read", count, [&] { in_runs(n, count, read); });
    if (encoded) {
      add("decode", count, [&] {
        in_runs(n, count, [&](std::int64_t i) {
          thread_local image::Decoder decoder;
          decoder.decode(dataset.get(split, i));
        });
      });
    }
    add("augment", count, [&] {
      in_runs(n, count, [&](std::int64_t i) {
        thread_local std::vector<float> image;
        image.resize(static_cast<std::size_t>(shape.count()));
        RandomStream random(0, 0, static_cast<std::uint64_t>(i));
        augment.apply(dataset.get(split, i), random, true, image);
      });
    });
    if (count >= batch) {
      const std::int64_t steps = count / batch;
      PipelineSettings settings;
      settings.split = split;
      settings.batch = batch;
      settings.workers = n;
      settings.prefetch = 4;
      settings.examples = count;
      add("pipeline", steps * batch, [&] {
        Pipeline pipeline(dataset, augment, settings);
        for (std::int64_t step = 0; step < steps; ++step) {
          stop_if_interrupted("data");
          pipeline.next();
        }
      });
    }
  }
  return results;
}

}  // namespace qfw
