// A model's weights on an accelerator: all of them where they fit, else one layer at a time, brought through pinned buffers while the
// layer before it is computed. Every byte crosses once a pass.
#pragma once
#include <cstdint>
#include <vector>

#include "base/result.h"
#include "kernels/accelerator.h"
#include "reference/model/packed_weights.h"

namespace assay {

struct DeviceLinear {
  DeviceMatrix matrix;
  const float* bias = nullptr;  // (n_out) or nullptr
  const PackedLinear* host = nullptr;
};
struct DeviceMlp {
  DeviceLinear gate_up, down;
};
// As PackedLayer; vectors that the family has not are nullptr.
struct DeviceLayer {
  const float *input_norm = nullptr, *post_norm = nullptr, *q_norm = nullptr, *k_norm = nullptr,
              *q_a_norm = nullptr, *kv_a_norm = nullptr, *sinks = nullptr, *correction = nullptr;
  DeviceLinear inputs, q_b, kv_b, o, router, shared_gate;
  DeviceMlp dense, shared;
  std::vector<DeviceMlp> experts;
};

class DeviceWeights {
 public:
  // Both outlive it. More than `budget_bytes` of device memory is not taken for weights; refused where three of the largest layers and
  // what follows the layers are more (Code::memory_limit).
  // `streamed`: one layer at a time even where all would fit.
  static Result<DeviceWeights> place(Accelerator& accelerator, const PackedModel& model,
                                     std::uint64_t budget_bytes, bool streamed = false);
  DeviceWeights(DeviceWeights&& other) noexcept;
  DeviceWeights& operator=(DeviceWeights&&) = delete;
  ~DeviceWeights();

  bool is_resident() const { return streamed_rows_ == nullptr; }
  const DeviceLayer& layer(
      std::size_t i);            // kernels queued from now on may use it, until layer() is asked for another
  void prefetch(std::size_t i);  // beside what is queued; streamed weights only
  const float* norm() const { return norm_; }
  const DeviceLinear& head() const { return head_; }
  std::uint64_t bytes() const { return bytes_; }  // taken on the device

 private:
  // A matrix or vector: from host memory through raw device memory to where kernels read it.
  struct Piece {
    const void* host;
    std::size_t bytes, raw, to, scales;  // offsets
    PackedMatrix panels;                 // format, shape; no panels for a vector
    bool is_matrix;
  };
  struct Image {
    std::vector<Piece> pieces;
    std::size_t raw_bytes = 0, bytes = 0;
    DeviceLayer layer;  // its pointers are offsets until placed
  };
  class Planner;

  explicit DeviceWeights(Accelerator& accelerator) : a_(&accelerator) {}
  static Image plan_layer(const PackedLayer& layer);
  DeviceLayer materialise(const Image& image, unsigned char* rows) const;
  void unpack(const Image& image, const unsigned char* raw, unsigned char* rows) const;
  unsigned char* bring(const Image& image);  // resident: own memory, filled
  void* take(std::size_t bytes);

  Accelerator* a_;
  std::vector<void*> taken_;
  std::vector<Image> images_;
  std::vector<DeviceLayer> layers_;  // resident: all; streamed: of the row area
  unsigned char* streamed_rows_ = nullptr;
  unsigned char* raw_[2] = {nullptr, nullptr};
  std::int64_t in_rows_ = -1, in_raw_[2] = {-1, -1};
  const float* norm_ = nullptr;
  DeviceLinear head_;
  std::uint64_t bytes_ = 0;
};

}  // namespace assay
