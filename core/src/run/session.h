#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/corrupt.h"
#include "io/checkpoint.h"
#include "passes/freeze.h"
#include "passes/operand_statistics.h"
#include "passes/recompute.h"
#include "passes/step.h"
#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/dataset.h"
#include "qfw/optimizer.h"
#include "qfw/schedule.h"
#include "recipe/recipe.h"
#include "run/data_shape.h"
#include "run/network.h"
#include "run/replicas.h"

namespace qfw {

/// The plugins of a recipe, brought to life, and the executables they give rise to. One thread uses it.
class Session {
 public:
  /// `optional`: without the data set, dataset.shape and dataset.classes of the recipe stand in for it (explain, bench).
  enum class Data { required, optional };
  Session(const Recipe& recipe, Data data);
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const Recipe& recipe() const { return recipe_; }
  bool has_dataset() const { return dataset_ != nullptr; }  ///< false only under Data::optional
  const Dataset& dataset(std::string_view split);           ///< ready to be read from; throws for a split it has not
  const std::string& train_split() const { return recipe_.dataset().train_split; }
  const std::string& validation_split() const { return recipe_.dataset().validation_split; }
  const Augment& augment() const { return *augment_; }
  const Schedule& schedule() const { return *schedule_; }
  CorruptExamples& corrupt() const { return *corrupt_; }
  const Backend& backend() const { return replicas_.backend(); }  ///< of the first replica
  Backend::Peak peak();                                           ///< of all replicas of the run, those of each process alike
  double bandwidth();                                             ///< likewise; 0: not known
  const Replicas& replicas() const { return replicas_; }
  Replicas& replicas() { return replicas_; }
  const DataShape& data() const { return data_; }

  std::int64_t train_batch() const { return train_batch_; }  ///< of one replica
  /// Training steps that are made from now on have no more than so many images: where statistics are all that is wanted of
  /// them.
  void limit_train_batch(std::int64_t images) { train_batch_ = std::min(train_batch_, images); }
  std::int64_t eval_batch() const;                                   ///< of one replica
  static constexpr std::int64_t long_after = std::int64_t{1} << 40;  ///< more steps than any schedule waits for
  std::int64_t steps_per_epoch() const { return length_.steps_per_epoch; }
  std::int64_t total_steps() const {
    return length_.total_steps;
  }                     ///< train.epochs, unless train.steps or early_stop_steps come first
  int workers() const;  ///< decoding threads
  std::uint64_t seed() const { return static_cast<std::uint64_t>(recipe_.run().seed); }

  Clock clock(std::int64_t step, bool training) const;
  std::uint32_t evaluation_phase(std::int64_t completed) const;  ///< a number for what all quantizers do in an evaluation then
  double rate(std::int64_t step) const;                          ///< learning rate of a step: finite, at least 0

  /// A graph, and what each replica of this process made of it.
  struct Compiled {
    Graph graph;
    std::vector<std::unique_ptr<Executable>> executables;
    bool codes_checked = false;             ///< see check_codes
    bool recorded = false;                  ///< of a training step: its implementations (run/implementations.h)
    Recompute recompute = Recompute::none;  ///< of a training step: what was chosen

    std::int64_t arena_bytes() const { return executables.front()->arena_bytes(); }
  };
  Compiled& training(std::int64_t step);  ///< for the phase that step is in
  bool has_training(std::int64_t step) const { return training_.contains(phases(clock(step, true))); }  ///< already compiled

  /// What an evaluation's layers are looked at with; see run/layer_statistics.h.
  struct Watch {
    Compiled compiled;
    std::vector<OperandStatistics::Operand> operands;
  };

  /// The evaluations of one phase.
  struct Evaluation {
    Graph graph;       ///< whole, as the backend would take it
    Freeze parts;      ///< of it
    Compiled prepare;  ///< the part that runs once for each evaluation
    bool codes_checked = false;
    std::optional<Watch> watch{};
  };
  Evaluation& evaluation(std::int64_t step);  ///< after so many completed steps
  /// The graph of an evaluation's batches, with the variables as they are now: the first replica computes what depends on them
  /// alone.
  Graph freeze(const Evaluation& evaluation, std::int64_t step);
  /// What the batches of an evaluation run, with the variables as they are now: the first replica prepares what depends on them
  /// alone, all share it. Holds a copy of the weights, as the backend packs them: let it go before the next is made.
  Compiled frozen(const Evaluation& evaluation, std::int64_t step);

  /// What goes into a step and comes out of it, for one replica: in the order of Graph::inputs and Graph::fetches.
  struct Exchange {
    std::vector<HostView> feeds;
    std::vector<HostTensor> fetches;
    std::vector<HostView> upcoming{};  ///< feeds of the same graph's next step, for Executable::prefetch; or empty
  };
  /// One step on every replica of this process, each with its own Exchange.
  void run(const Compiled& compiled, std::int64_t step, std::span<const Exchange> exchanges);

  /// The graphs that explain and bench look at, not compiled.
  Graph training_graph_at(std::int64_t step) const;
  Graph evaluation_graph_at(std::int64_t step) const;
  Graph diagnosis_graph_at(std::int64_t step, bool training) const;
  StepDescription describe(const Clock& clock, std::int64_t batch) const;
  /// With what the backend declines expanded; throws, naming the layer, for what it does not take at all.
  Graph prepared(Graph graph) const;
  Compiled compile(Graph graph) { return compile_prepared(prepared(std::move(graph))); }
  Compiled compile_prepared(Graph graph);
  /// The step that training() would compile, but with this part of it computed again; kept nowhere.
  Compiled compile_training(std::int64_t step, Recompute how);
  const QuantizerSet& quantizers() const { return network_->quantizers(); }
  std::vector<Phase> phases(const Clock& clock) const { return quantizers().phases(clock); }
  std::string phase_text(const Clock& clock) const { return quantizers().phase_text(clock); }

  /// A variable that quantizers want shown, under its tag; in the order of variables().
  struct Curve {
    std::string tag;
    Variable variable;
  };
  std::vector<Curve> observed();

  /// All variables, as the first training step declares them; compiles nothing.
  const std::vector<Variable>& declared();
  /// The same, known to the backends: compiles that step if there is no other yet.
  const std::vector<Variable>& variables();
  std::int64_t variable_bytes();  ///< of all variables
  void initialize_variables();
  void write(std::string_view variable, HostView from) { replicas_.write(variable, from); }
  void read(std::string_view variable, HostTensor to) const { replicas_.read(variable, to); }
  /// Takes over what a run's checkpoint says besides variables; before the first phase is asked for.
  void continue_from(const CheckpointInfo& info);
  bool warm_start() const { return warm_start_; }  ///< for a checkpoint, so that the next start knows
  /// The variables that evaluation needs, or all of a training step, from a checkpoint.
  void restore(const Checkpoint& checkpoint, std::span<const Variable> wanted);

 private:
  void open_data(Data data);
  void count_steps();
  Compiled compile_fitting(std::int64_t step);

  Recipe recipe_;
  std::unique_ptr<Dataset> dataset_;
  std::unique_ptr<CorruptExamples> corrupt_;
  std::int64_t train_batch_ = 0;
  std::set<std::string> noted_;  ///< splits whose notes were logged
  std::unique_ptr<Augment> augment_;
  std::shared_ptr<const Layer> model_;
  std::unique_ptr<Schedule> schedule_;
  std::unique_ptr<Optimizer> optimizer_;
  Replicas replicas_;
  DataShape data_;
  std::unique_ptr<Network> network_;
  RunLength length_;
  bool warm_start_ = false;
  std::vector<Variable> declared_;  ///< once somebody asked
  std::map<std::vector<Phase>, Compiled> training_;
  std::map<std::vector<Phase>, Evaluation> evaluation_;
};

/// The paths of all conv2d and dense layers of a recipe's model, in the order of the computation.
std::vector<std::string> layer_paths(const Recipe& recipe);

/// Loads a recipe with its layer globs checked against its model.
Recipe load_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides, const Catalog& catalog,
                   Session::Data data);

}  // namespace qfw
