// The same operations and products through the interface of an accelerator. Private to kernels/bench/.
#pragma once
#include <string>
#include <vector>

#include "kernels/accelerator.h"
#include "kernels/bench/bench.h"
#include "kernels/bench/meter.h"

namespace assay {

// Rows on_gpu of `device`, by device time: copy (a limit), then what of the shapes is wanted and possible there, in bf16 arithmetic (shapes
// end in "bf16" where it makes a difference). Limits: the copy's rate for bytes, `best_flops_per_s` (0: not known, fraction NaN) for
// products and attention. Data lies where it lies: what fits the device's cache may exceed the copy's rate. What is left out is noted.
std::vector<BenchRow> device_rows(Accelerator& accelerator, const DeviceInfo& device, const Meter& meter,
                                  const std::vector<ProductShape>& products,
                                  const std::vector<OperationShape>& operations, double best_flops_per_s,
                                  std::vector<std::string>& notes);

}  // namespace assay
