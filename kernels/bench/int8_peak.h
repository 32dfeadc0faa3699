// The machine's peak of 8-bit integer dot products, on registers. No kernel of ours computes so; the limit says what quantised engines
// could reach here. Private to kernels/bench/.
#pragma once
#include <cstdint>

#include "kernels/contract.h"

namespace assay {

struct IntegerPeak {
  const char* isa;  // avx512-vnni: vpdpbusd on 512 bits; avx2: vpmaddubsw, vpmaddwd, vpaddd on 256
  std::int64_t (*burn)(std::int64_t steps,
                       std::int32_t* sink);  // gives the operations done, two a multiply-add
};
// The best that this machine has and `isa` (of the kernels in use) allows; nullptr: none is written for it.
const IntegerPeak* integer_peak(Isa isa);

}  // namespace assay
