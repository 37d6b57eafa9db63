#pragma once

#include <boost/json.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "run/session.h"
#include "support/files.h"
#include "support/golden.h"

namespace qfw::parity {

/// A recorded training run of the reference.
class Trace {
 public:
  explicit Trace(const std::string& file);

  const std::string& file() const { return file_; }
  const golden::Group& group() const { return group_; }
  int steps() const { return static_cast<int>(group_.number("steps")); }
  int replicas() const { return static_cast<int>(group_.number("replicas")); }
  std::int64_t batch() const { return static_cast<std::int64_t>(group_.number("batch")); }  ///< of a replica
  std::int64_t classes() const { return static_cast<std::int64_t>(group_.number("num_classes")); }

  /// Of a step and a replica.
  std::span<const float> images(int step, int replica) const;
  std::vector<float> targets(int step, int replica) const;
  std::span<const float> eval_images() const { return eval_images_.values; }

  /// The reference's float32 run against its float64 run; 0 if the file does not tell.
  double spread(const std::string& what) const;
  double spread(const std::string& what, std::size_t step) const;
  /// Up to and including this step no flip has happened in the reference.
  bool steady(int step) const;

  /// The recipe of the run: the file's hyperparameters and what its attributes add.
  std::string recipe(const std::filesystem::path& json) const;
  std::string hparams() const { return group_.text_data("hparams_json"); }

 private:
  std::size_t place(int step, int replica) const;

  std::string file_;
  golden::Group group_, batches_;
  golden::Array images_, eval_images_;
  std::vector<std::int64_t> labels_, order_;
  boost::json::value divergence_;
};

/// Every trace of the folder.
std::vector<std::string> trace_files();
std::string trace_test_name(const ::testing::TestParamInfo<std::string>& info);

/// Our side of it: a session with the trace's recipe, and its variables under the reference's names.
class Run {
 public:
  struct Options {
    std::string backend, arithmetic;
    unsigned nudge = 0;  ///< not 0: a loaded state's parameters move by up to `nudged_ulps`, each number another way
  };
  Run(const Trace& trace, const Options& options);

  Session& session() { return *session_; }

  /// A group of the reference (params, batch_stats, get_bounds, or an optimizer's) into our variables.
  void load(const std::string& state);
  void load(const std::string& state, const std::string& part);

  struct Step {
    float loss = 0;
    std::vector<std::vector<float>> logits;  ///< of each replica
  };
  Step train(int step, int of_order);
  std::vector<float> evaluate(int completed);

  /// Ours and the reference's values of all tensors of a part of a state, in one row.
  struct Pair {
    std::vector<float> ours, theirs;
    double relative() const;  ///< norm of the difference / norm of theirs
  };
  Pair compare(const std::string& state, const std::string& part);
  std::vector<float> read_all(const std::string& part);  ///< ours
  /// The reference's tensors of a group that holds gradients, in the order of our parameters.
  std::vector<float> gradients(const std::string& group);
  /// The bounds stored after a step against bounds/<layer>.
  Pair compare_bounds(std::size_t step);

 private:
  struct Place {
    std::string variable, path;  ///< path without its part
    TensorType type;
  };
  std::vector<Place> places(const std::string& part);
  std::vector<float> read(const Place& place);

  const Trace& trace_;
  unsigned nudge_;
  test::TemporaryFolder folder_;
  std::unique_ptr<Session> session_;
  std::map<std::string, std::vector<Place>> places_;  ///< by part
};

}  // namespace qfw::parity
