#include "cudnn_product.h"

#include <fmt/format.h>

#include <array>

#include "transposition.h"

namespace qfw::cuda {
namespace {

std::size_t aligned(std::size_t bytes) { return (bytes + 255) / 256 * 256; }

/// What engines do when they run for the first time, such as loading code, is allowed while work is recorded.
class Unrestricted {
 public:
  explicit Unrestricted(const Connection& connection) : connection_(connection) {
    QFW_CUDA_CALL(connection_.driver(), cuThreadExchangeStreamCaptureMode(&mode_), connection_.name());
  }
  Unrestricted(const Unrestricted&) = delete;
  Unrestricted& operator=(const Unrestricted&) = delete;
  ~Unrestricted() { connection_.driver().cuThreadExchangeStreamCaptureMode(&mode_); }

 private:
  const Connection& connection_;
  int mode_ = driver::capture_relaxed;
};

}  // namespace

CudnnHandle::CudnnHandle(const Library& library, std::shared_ptr<const Connection> connection)
    : connection_(std::move(connection)), library_(std::make_shared<const cudnn::Cudnn>(library)) {
  library_->check(library_->cudnnCreate(&handle_), "cudnnCreate", connection_->name());
  try {
    use(Stream::compute);  // now, not in the first product: that one may be recorded
  } catch (...) {
    library_->cudnnDestroy(handle_);
    throw;
  }
}

CudnnHandle::~CudnnHandle() {
  connection_->try_use();
  library_->cudnnDestroy(handle_);
}

void CudnnHandle::use(Stream stream) {
  const driver::StreamHandle wanted = connection_->stream(stream);
  if (wanted == stream_) return;
  library_->check(library_->cudnnSetStream(handle_, wanted), "cudnnSetStream", connection_->name());
  stream_ = wanted;
}

CudnnProduct::CudnnProduct(Device& device, std::shared_ptr<const Connection> connection, std::shared_ptr<CudnnHandle> handle,
                           std::shared_ptr<const CudnnPlan> plan, const ProductShape& shape)
    : device_(device),
      connection_(std::move(connection)),
      handle_(std::move(handle)),
      plan_(std::move(plan)),
      kind_(shape.kind),
      outputs_(shape.weights.channels()),
      taps_(shape.weights.count() / shape.weights.channels()) {
  if (plan_->exchanged) return;
  const bool of_weights = kind_ == ProductShape::Kind::grad_weights;
  const DType within = of_weights ? plan_->result : shape.in;
  weights_bytes_ = aligned(shape.weights.count() * size_of(within));
  const std::array sources{transposition_source(within, of_weights ? shape.out : within)};
  transposition_ = device_.load(sources).front();
}

CudnnProduct::~CudnnProduct() {
  connection_->try_use();  // its plan may have code of its own on the device
}

std::size_t CudnnProduct::workspace_bytes() const { return aligned(plan_->workspace_bytes) + weights_bytes_; }

std::string CudnnProduct::describe() const {
  return fmt::format("cuDNN {}, {}, workspace {} bytes{}{}", handle_->library()->version(), plan_->text, plan_->workspace_bytes,
                     plan_->exchanged ? "" : ", weights transposed",
                     kind_ == ProductShape::Kind::grad_weights && plan_->result != DType::f32
                         ? fmt::format(", sums rounded to {}", name_of(plan_->result))
                         : "");
}

void CudnnProduct::run(Stream stream, const std::byte* a, const std::byte* b, Address result, Address workspace) {
  connection_->use();
  const Address weights = workspace + aligned(plan_->workspace_bytes);
  const bool moved = weights_bytes_ > 0;
  if (kind_ == ProductShape::Kind::grad_weights) {
    const std::byte *x = a, *y = b;
    if (plan_->exchanged) std::swap(x, y);
    execute(stream, x, moved ? weights : result, y, workspace);
    if (moved) transpose(stream, weights, result, outputs_, taps_);
    return;
  }
  if (moved) transpose(stream, b, weights, taps_, outputs_);
  const std::byte *x = a, *y = result;  // of an exchanged plan's forward product src is y
  if ((kind_ == ProductShape::Kind::grad_src) != plan_->exchanged) std::swap(x, y);
  execute(stream, x, moved ? weights : b, y, workspace);
}

void CudnnProduct::transpose(Stream stream, const std::byte* from, Address to, std::int64_t rows, std::int64_t columns) {
  const std::array<void*, 4> arguments{&from, &to, &rows, &columns};
  device_.launch(stream, *transposition_, transposition_shape(rows, columns), arguments);
}

void CudnnProduct::execute(Stream stream, const std::byte* x, const std::byte* w, const std::byte* y, Address workspace) {
  using namespace cudnn;
  const std::array ids{id_of_x, id_of_w, id_of_y};
  const std::array pointers{x, w, y};
  const std::shared_ptr<const Cudnn>& library = handle_->library();
  const Unrestricted unrestricted(*connection_);
  handle_->use(stream);
  Descriptor pack(library, cudnn::Kind::variant_pack);
  pack.set(Attribute::pack_ids, ids);
  pack.set(Attribute::pack_pointers, Type::pointer, static_cast<std::int64_t>(pointers.size()), pointers.data());
  pack.set(Attribute::pack_workspace, Type::pointer, 1, &workspace);
  pack.finalize();
  const int status = library->cudnnBackendExecute(handle_->get(), plan_->plan.raw(), pack.raw());
  if (status != success)
    library->check(status, "cudnnBackendExecute", fmt::format("{} on {}", plan_->text, connection_->name()));
}

}  // namespace qfw::cuda
