#include "run/input_histograms.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "data/labels.h"
#include "data/pipeline.h"
#include "data/spread.h"
#include "io/progress.h"
#include "qfw/error.h"
#include "qfw/interrupt.h"
#include "run/feeds.h"
#include "util/counted.h"
#include "util/parallel.h"

namespace qfw {

namespace {

using Histogram = Calibrator::Histogram;
using Tensor = InputHistograms::Tensor;

/// What one replica fetched of a batch.
struct Share {
  int rank = 0;
  std::unique_ptr<Pipeline> pipeline;
  std::vector<std::vector<float>> fetched;
  Batch batch;
};

class Counting {
 public:
  Counting(Session& session, const std::vector<WantedInput>& wanted, std::int64_t images, std::int64_t step)
      : session_(session), step_(step), examples_(session.dataset(session.train_split()), session.train_split(), images) {
    std::set<std::string, std::less<>> paths;
    for (const WantedInput& each : wanted) paths.insert(each.path);
    const Clock clock = session.clock(step, false);
    SiteInputs inputs = site_inputs(session.describe(clock, 1), paths);
    rows_ = batch_for(inputs.graph);
    inputs = site_inputs(session.describe(clock, rows_), paths);
    std::map<std::pair<std::size_t, bool>, std::size_t> known;
    for (const WantedInput& each : wanted) {
      const std::size_t fetch = inputs.fetch_of.at(each.path);
      const auto [found, is_new] = known.try_emplace({fetch, each.per_channel}, result_.tensors.size());
      result_.tensor_of[each.path] = found->second;
      if (!is_new) continue;
      const std::int64_t channels = inputs.graph.type(inputs.graph.fetches[fetch].use).shape.channels();
      result_.tensors.push_back({.path = each.path, .per_channel = each.per_channel, .parts = {}});
      result_.tensors.back().parts.resize(static_cast<std::size_t>(each.per_channel ? channels : 1));
      fetches_.push_back(fetch);
    }
    compiled_ = session.compile(std::move(inputs.graph));
  }

  const Graph& graph() const { return compiled_.graph; }

  InputHistograms run() {
    Progress line("calibrating");
    line.begin({.step = 0, .total_steps = 2 * examples_.size(examples_.splits()[0])});
    over_all_images(line, 0, [&](std::size_t tensor, const Share& share) { find_largest(tensor, share); });
    for (Tensor& tensor : result_.tensors) {
      for (Histogram& part : tensor.parts) {
        if (part.largest == 0) continue;
        part.width = double{part.largest} / InputHistograms::bins;
        part.counts.assign(InputHistograms::bins, 0);
      }
    }
    over_all_images(line, 1, [&](std::size_t tensor, const Share& share) { count(tensor, share); });
    return std::move(result_);
  }

 private:
  static constexpr std::size_t most_bytes = std::size_t{256} << 20;  // that are fetched at once

  std::int64_t batch_for(const Graph& of_one_image) const {
    std::size_t bytes = 1;
    for (const Fetch& fetch : of_one_image.fetches) bytes += of_one_image.type(fetch.use).bytes();
    const auto fitting = static_cast<std::int64_t>(std::max<std::size_t>(1, most_bytes / bytes));
    return std::min({fitting, session_.eval_batch(), examples_.size({})});
  }

  void over_all_images(Progress& line, int pass, const std::function<void(std::size_t, const Share&)>& look) {
    std::vector<Share> shares(static_cast<std::size_t>(session_.replicas().count()));
    for (std::size_t i = 0; i < shares.size(); ++i) open(shares[i], static_cast<int>(i));
    const std::int64_t of = shares[0].pipeline->examples();
    std::int64_t done = 0;
    result_.images = 0;
    for (;;) {
      std::vector<Session::Exchange> exchanges(shares.size());
      for (std::size_t i = 0; i < shares.size(); ++i) {
        const auto next = shares[i].pipeline->next();
        if (!next) return;  // all end together
        shares[i].batch = *next;
        exchanges[i].feeds = feeds_of(graph(), {{step_names::images, next->images}});
        for (std::size_t f = 0; f < graph().fetches.size(); ++f) {
          exchanges[i].fetches.push_back(
              {graph().type(graph().fetches[f].use), std::as_writable_bytes(std::span(shares[i].fetched[f]))});
        }
      }
      stop_if_interrupted("calibrate");
      session_.run(compiled_, step_, exchanges);
      for (const Share& share : shares) {
        for (int row = 0; row < share.batch.count; ++row) result_.images += is_example(share, row) ? 1 : 0;
      }
      parallel_for(session_.backend().threads(), static_cast<std::int64_t>(fetches_.size()), [&](std::int64_t tensor) {
        for (const Share& share : shares) look(static_cast<std::size_t>(tensor), share);
      });
      done = std::min(of, done + rows_ * static_cast<std::int64_t>(shares.size()));
      line.update({.step = pass * of + done, .total_steps = 2 * of, .corrupt = session_.corrupt().count()});
    }
  }

  void open(Share& share, int replica) {
    share.rank = session_.replicas().rank(replica);
    PipelineSettings settings;
    settings.split = session_.train_split();
    settings.batch = rows_;
    settings.training = false;
    settings.workers = std::max(1, session_.workers() / session_.replicas().count());
    settings.prefetch = static_cast<int>(session_.recipe().dataset().prefetch);
    settings.rank = share.rank;
    settings.replicas = session_.replicas().size();
    settings.corrupt = &session_.corrupt();
    share.pipeline = std::make_unique<Pipeline>(examples_, session_.augment(), settings);
    for (const Fetch& fetch : graph().fetches) {
      share.fetched.emplace_back(static_cast<std::size_t>(graph().type(fetch.use).shape.count()));
    }
  }

  static bool is_example(const Share& share, int row) { return share.batch.labels[static_cast<std::size_t>(row)] >= 0; }

  /// Calls `see` with each value of a batch's examples and the histogram that it belongs to.
  template <class See>
  void values(std::size_t number, const Share& share, See see) {
    Tensor& tensor = result_.tensors[number];
    const std::vector<float>& all = share.fetched[fetches_[number]];
    const std::size_t size = all.size() / static_cast<std::size_t>(rows_), parts = tensor.parts.size();
    for (int row = 0; row < share.batch.count; ++row) {
      if (!is_example(share, row)) continue;
      const float* value = &all[static_cast<std::size_t>(row) * size];
      for (std::size_t i = 0; i < size; i += parts) {
        for (std::size_t part = 0; part < parts; ++part) see(value[i + part], tensor.parts[part], row);
      }
    }
  }

  void find_largest(std::size_t number, const Share& share) {
    values(number, share, [&](float value, Histogram& part, int row) {
      const float magnitude = std::abs(value);
      if (magnitude > part.largest) part.largest = magnitude;
      if (!std::isfinite(value)) refuse(number, share, value, row);
    });
  }

  void count(std::size_t number, const Share& share) {
    values(number, share, [](float value, Histogram& part, int) {
      if (value == 0) {
        ++part.zeros;
        return;
      }
      const auto bin = static_cast<std::size_t>(std::abs(double{value}) / part.width);
      ++part.counts[std::min(bin, InputHistograms::bins - 1)];
    });
  }

  [[noreturn]] void refuse(std::size_t number, const Share& share, float value, int row) const {
    const std::int64_t batch = static_cast<std::int64_t>(share.batch.position.step) * session_.replicas().size();
    fail(Error::Category::data, "calibrate", fmt::format("the input of layer {} holds {}", result_.tensors[number].path, value),
         examples_.place(session_.train_split(), (batch + share.rank) * rows_ + row),
         "look at the variables of the layers before it, and at the image");
  }

  Session& session_;
  std::int64_t step_;
  Spread examples_;
  std::int64_t rows_ = 1;             ///< images of a batch
  std::vector<std::size_t> fetches_;  ///< by tensor
  Session::Compiled compiled_;
  InputHistograms result_;
};

}  // namespace

InputHistograms input_histograms(Session& session, const std::vector<WantedInput>& wanted, std::int64_t images,
                                 std::int64_t step, const std::function<void(const Graph&)>& write) {
  require_labels(session.dataset(session.train_split()), session.train_split());
  Counting counting(session, wanted, images, step);
  write(counting.graph());
  InputHistograms found = counting.run();
  if (found.images == 0) fail(Error::Category::data, "calibrate", "not one image could be read, so there are no bounds");
  return found;
}

}  // namespace qfw
