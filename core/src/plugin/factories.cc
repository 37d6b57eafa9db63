#include "qfw/augment.h"
#include "qfw/backend.h"
#include "qfw/calibrator.h"
#include "qfw/communicator.h"
#include "qfw/dataset.h"
#include "qfw/dataset_writer.h"
#include "qfw/exporter.h"
#include "qfw/format.h"
#include "qfw/layer.h"
#include "qfw/optimizer.h"
#include "qfw/quantizer.h"
#include "qfw/registry.h"
#include "qfw/schedule.h"

// Of each kind once, so that all libraries mean the same type by a factory.
namespace qfw {

template struct Factory<Augment>;
template struct Factory<Backend>;
template struct Factory<Calibrator>;
template struct Factory<Communicator>;
template struct Factory<Dataset>;
template struct Factory<DatasetWriter>;
template struct Factory<Exporter>;
template struct Factory<Format>;
template struct Factory<Layer>;
template struct Factory<Optimizer>;
template struct Factory<Quantizer>;
template struct Factory<Schedule>;

}  // namespace qfw
