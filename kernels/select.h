// Which kernels run: the best this machine has, or those that ASSAY_ISA names.
#pragma once
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kernels/contract.h"

namespace assay {

std::vector<const Kernels*>
available_kernels();  // every table that this machine can run, worst first; same bits from all
// "scalar", "avx2", "avx512", "neon", or "" for the best. Unknown or missing here: Code::unsupported.
Result<const Kernels*> select_kernels(std::string_view name);
Result<const Kernels*> chosen_kernels();  // select_kernels of the environment's ASSAY_ISA; programs ask this
                                          // once and report the error
const Kernels& kernels();                 // the same, where chosen_kernels() has been seen to succeed

}  // namespace assay
