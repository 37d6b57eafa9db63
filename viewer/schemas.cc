#include "viewer/schemas.h"

namespace qfw::viewer {

namespace {

using enum Field::Type;

constexpr std::uint64_t mebibyte = 1 << 20;

constexpr Field phase_fields[] = {
    {"first_step", number},
    {"phase", text},
    {"integer_layers", number},
    {"peak_images_per_second", number},
};

constexpr Field peak_fields[] = {
    {"f32", number},
    {"bf16", number},
    {"integer", number},
};

constexpr Field layer_fields[] = {
    {"path", text},          {"op", text},         {"input", numbers},
    {"weights", numbers},    {"output", numbers},  {"multiplications", number},
    {"weight_bits", number}, {"act_bits", number}, {"integer", flag},
    {"reason", text},
};

constexpr Field setting_fields[] = {
    {"section", text}, {"key", text}, {"value", text}, {"origin", text}, {"default", flag}, {"doc", text},
};

constexpr Field confusion_fields[] = {
    {"label", number},
    {"predicted", number},
    {"count", number},
};

constexpr Field worst_fields[] = {
    {"index", number},     {"where", text},         {"label", number},
    {"predicted", number}, {"probability", number}, {"label_probability", number},
    {"loss", number},      {"width", number},       {"height", number},
    {"image", picture},
};

constexpr Field setup[] = {
    {"description", text},
    {"recipe", text},
    {"model", text},
    {"dataset", text},
    {"quantizer", text},
    {"backend", text},
    {"threads", number},
    {"replicas", number},
    {"classes", number},
    {"class_names", texts},
    {"train_examples", number},
    {"validation_examples", number},
    {"batch_size", number},
    {"steps_per_epoch", number},
    {"total_steps", number},
    {"parameters", number},
    {"multiplications", number},
    {"phases", records, phase_fields},
    {"peak", record, peak_fields},
    {"layers", records, layer_fields},
    {"settings", records, setting_fields},
    {"notes", texts},
};

constexpr Field report[] = {
    {"description", text},
    {"status", text},
    {"error", text},
    {"steps", number},
    {"total_steps", number},
    {"eval_accuracy", number},
    {"eval_loss", number},
    {"best_eval_accuracy", number},
    {"best_eval_step", number},
    {"best_smoothed_eval_accuracy", number},
    {"best_smoothed_eval_step", number},
    {"first_nan_step", number},
    {"images_per_second", number},
    {"peak_share", number},
    {"corrupt_examples", number},
    {"corrupt", texts},
    {"notes", texts},
    {"backend", text},
};

constexpr Field status[] = {
    {"pid", number},
    {"host", text},
    {"started", number},
    {"written", number},
    {"state", text},
    {"error", text},
    {"step", number},
    {"total_steps", number},
    {"epoch", number},
    {"epochs", number},
    {"phase", text},
    {"phase_first_step", number},
    {"next_phase_step", number},
    {"evaluated", number},
    {"to_evaluate", number},
    {"images_per_second", number},
    {"peak_share", number},
    {"seconds_left", number},
    {"loss", number},
    {"accuracy", number},
    {"learning_rate", number},
    {"eval_accuracy", number},
    {"best_accuracy", number},
    {"best_step", number},
    {"cores", number},
    {"last_checkpoint_step", number},
};

constexpr Field evaluation[] = {
    {"step", number},
    {"examples", number},
    {"top1", number},
    {"top5", number},
    {"loss", number},
    {"classes", number},
    {"class_names", texts},
    {"confusion", matrix},
    {"confusions", records, confusion_fields},
    {"recall", numbers},
    {"worst", records, worst_fields},
};

}  // namespace

RecordFile setup_file() { return {"setup.json", 16 * mebibyte, setup}; }
RecordFile report_file() { return {"report.json", 16 * mebibyte, report}; }
RecordFile status_file() { return {"status.json", mebibyte, status}; }
RecordFile evaluation_file() { return {"evaluation.json", 32 * mebibyte, evaluation}; }

}  // namespace qfw::viewer
