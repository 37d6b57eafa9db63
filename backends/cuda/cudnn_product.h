#pragma once

#include <memory>
#include <string>

#include "connection.h"
#include "cudnn.h"
#include "device.h"

namespace qfw::cuda {

/// cuDNN as it is bound to a device; it works in the compute stream unless it is told another. Plans go before it.
class CudnnHandle {
 public:
  CudnnHandle(const Library& library, std::shared_ptr<const Connection> connection);
  CudnnHandle(const CudnnHandle&) = delete;
  CudnnHandle& operator=(const CudnnHandle&) = delete;
  ~CudnnHandle();

  const std::shared_ptr<const cudnn::Cudnn>& library() const { return library_; }
  cudnn::Handle get() const { return handle_; }
  void use(Stream stream);  ///< for what is executed from now on

 private:
  std::shared_ptr<const Connection> connection_;
  std::shared_ptr<const cudnn::Cudnn> library_;
  cudnn::Handle handle_ = nullptr;
  driver::StreamHandle stream_ = nullptr;
};

/// A product by a plan of cuDNN's. Where the plan wants weights OHWI, they are transposed in its workspace.
class CudnnProduct final : public FloatProduct {
 public:
  CudnnProduct(Device& device, std::shared_ptr<const Connection> connection, std::shared_ptr<CudnnHandle> handle,
               std::shared_ptr<const CudnnPlan> plan, const ProductShape& shape);
  ~CudnnProduct() override;

  std::size_t workspace_bytes() const override;
  std::string describe() const override;
  void run(Stream stream, const std::byte* a, const std::byte* b, Address result, Address workspace) override;

 private:
  void transpose(Stream stream, const std::byte* from, Address to, std::int64_t rows, std::int64_t columns);
  void execute(Stream stream, const std::byte* x, const std::byte* w, const std::byte* y, Address workspace);

  Device& device_;
  std::shared_ptr<const Connection> connection_;
  std::shared_ptr<CudnnHandle> handle_;
  std::shared_ptr<const CudnnPlan> plan_;
  ProductShape::Kind kind_;
  std::int64_t outputs_ = 0, taps_ = 0;  ///< of the weights: O, and H W I
  std::size_t weights_bytes_ = 0;        ///< in the workspace; 0: they stay where they are
  std::shared_ptr<Function> transposition_;
};

}  // namespace qfw::cuda
