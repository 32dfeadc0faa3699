// A pass on an accelerator held against the CPU, product by product on the accelerator's own inputs: what the device's arithmetic does to
// each layer, against the bound that kernels/accelerator.h derives. Everything between the products is the contract's own on both sides.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "reference/model/cuda_engine.h"

namespace assay {

struct ProductError {
  std::int64_t layer = 0;                       // kNoLayer (-1): the head
  std::string name;                             // as SeenProduct
  std::int64_t n_numbers = 0, n_different = 0;  // outputs, and those whose bits are not the CPU's
  double max_error = 0;                         // |device - CPU|; infinity where a NaN came
  double worst_of_bound =
      0;  // error / bound over a sample of at most kCheckedRows x kCheckedOutputs outputs of each product
  bool within = true;  // the bits of the CPU (canonical), or within the bound
};
inline constexpr std::int64_t kCheckedRows = 8, kCheckedOutputs = 64;

// Rows of one pass over `ids`, in the order of the layers; products of a layer's experts are one row each for gate_up and down.
Result<std::vector<ProductError>> check_layers(CudaEngine& engine, const std::vector<std::int32_t>& ids);

}  // namespace assay
