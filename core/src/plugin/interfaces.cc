#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/format.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/registry.h"
#include "qfw/schedule.h"

// The destructors stand here so that the core alone holds each interface's type information.
namespace qfw {

Augment::~Augment() = default;
Backend::~Backend() = default;
Communicator::~Communicator() = default;
Dataset::~Dataset() = default;
Executable::~Executable() = default;
Format::~Format() = default;
Layer::~Layer() = default;
Optimizer::~Optimizer() = default;
Quantizer::~Quantizer() = default;
Schedule::~Schedule() = default;

template struct Factory<Augment>;
template struct Factory<Backend>;
template struct Factory<Communicator>;
template struct Factory<Dataset>;
template struct Factory<Format>;
template struct Factory<Layer>;
template struct Factory<Optimizer>;
template struct Factory<Quantizer>;
template struct Factory<Schedule>;

}  // namespace qfw
