// Where the numbers of a matrix lie in a checkpoint: in a tensor of its own, or in one that holds all experts of a layer,
// or gate and up together, maybe transposed. Both paths read their weights through this, and nothing else about files.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "reference/weights/checkpoint.h"
#include "reference/weights/dequant.h"

namespace assay {

struct WeightRef {
  std::string name;                  // of the tensor; MXFP4: without _blocks and _scales
  std::int64_t n_out = 0;            // outputs of this matrix
  std::int64_t n_in = 0;             // 0: a vector
  std::int64_t expert = 0;           // which of the first dimension ...
  std::int64_t n_experts = 0;        // ... of this extent; 0: the tensor has no such dimension
  std::int64_t first = 0, step = 1;  // outputs first, first + step, ... of the stored ones
  std::int64_t n_stored = 0;         // outputs stored
  bool transposed = false;           // stored (n_in, n_stored) instead of (n_stored, n_in)
  bool mxfp4 = false;                // never transposed

  bool whole() const { return n_experts == 0 && n_stored == n_out && !transposed && !mxfp4; }
};

WeightRef matrix_ref(std::string name, std::int64_t n_out, std::int64_t n_in);  // a tensor of its own
WeightRef vector_ref(std::string name, std::int64_t n);
std::vector<std::int64_t> stored_shape(const WeightRef& ref);  // of the tensor `name`; not for MXFP4

// The tensor that holds it, of the right shape (MXFP4: its codes).
Result<const TensorView*> stored_tensor(const Checkpoint& checkpoint, const WeightRef& ref);

// Row-major (n_out, n_in), or (n_out).
Result<std::vector<float>> load_weight_f32(const Checkpoint& checkpoint, const WeightRef& ref, Recipe recipe,
                                           BlockSize block);
// The same values; F64 is kept.
Result<std::vector<double>> load_weight_f64(const Checkpoint& checkpoint, const WeightRef& ref, Recipe recipe,
                                            BlockSize block);
// The stored codes of a BF16 tensor, or of an FP8 one (elements of sizeof(T) bytes).
template <class T>
Result<std::vector<T>> load_weight_codes(const Checkpoint& checkpoint, const WeightRef& ref);

}  // namespace assay
