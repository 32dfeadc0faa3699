// The tables of all instruction sets in this build. Call one only where the machine has what it was compiled
// for (select.cc).
#pragma once
#include "kernels/contract.h"

namespace assay {

const Kernels& scalar_kernels();
const Kernels& scalar_fma_kernels();  // needs FMA and AVX2
const Kernels& avx2_kernels();        // needs FMA and AVX2
const Kernels& avx512_kernels();      // needs AVX-512 F, BW, DQ, VL
const Kernels& neon_kernels();        // any AArch64

}  // namespace assay
