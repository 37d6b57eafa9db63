#include "run/deploy.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <memory>

#include "passes/finish.h"
#include "run/class_names.h"
#include "util/version.h"

namespace qfw {

namespace {

/// Of names, types and values of all variables.
std::string digest_of(const Checkpoint& checkpoint) {
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_64bits_reset(state.get());
  for (const CheckpointVariable& variable : checkpoint.variables()) {
    const std::string about = variable.name + ' ' + variable.type.str() + '\n';
    XXH3_64bits_update(state.get(), about.data(), about.size());
    std::vector<std::byte> bytes(variable.type.bytes());
    checkpoint.read(variable.name, {variable.type, bytes});
    XXH3_64bits_update(state.get(), bytes.data(), bytes.size());
  }
  return fmt::format("{:016x}", XXH3_64bits_digest(state.get()));
}

}  // namespace

FrozenModel frozen_model(Session& session, const Checkpoint& checkpoint) {
  const std::int64_t step = checkpoint.info().step;
  session.continue_from(checkpoint.info());
  Session::Evaluation& evaluation = session.evaluation(step);
  session.restore(checkpoint, evaluation.graph.variables);

  FrozenModel model;
  model.graph = expand_composites(session.freeze(evaluation, step), [](const Node&) { return true; });
  model.preparation = session.augment().preparation(session.data().source);
  if (session.has_dataset()) model.labels = class_names_of(session.dataset(session.validation_split()));
  model.provenance = {.qfw = version(),
                      .recipe = session.recipe().text(false),
                      .checkpoint = digest_of(checkpoint),
                      .step = step,
                      .phase = session.phase_text(session.clock(step, false))};
  verify(model);
  return model;
}

}  // namespace qfw
