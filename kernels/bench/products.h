// Matrix products of the benchmark on the processor, ours and a library's. Private to kernels/bench/.
#pragma once
#include <string>
#include <vector>

#include "base/result.h"
#include "kernels/bench/bench.h"
#include "kernels/bench/blas_library.h"
#include "kernels/bench/meter.h"

namespace assay {

// Refused: extents below 1 or above 2^24 (bad_shape), weights beyond the options' memory, or half of it where they are coded (memory_limit).
Status check_product(const ProductShape& shape, const BenchOptions& options);
std::string product_kernel(const ProductShape& shape);  // matmul-bf16 matmul-f32 matmul-e4m3 ...
std::string product_text(const ProductShape& shape);

BenchRow measure_product(Meter& meter, const ProductShape& shape);

// The library's peak by a square product with one thread and with all, then those products that it can do too (single ones of many
// tokens, with f32 weights of the same shape). Last of all rows: its threads wait busily for a while.
std::vector<BenchRow> measure_library(Meter& meter, const BlasLibrary& library,
                                      const std::vector<ProductShape>& products);

}  // namespace assay
