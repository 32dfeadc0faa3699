// The plain C++ kernels once more, compiled for machines with a fused multiply-add instruction (chosen at run
// time by select.cc): the library call of scalar_kernels.cc costs ten times as much. Same lines, same bits.
// Order matters: each of these uses the ones before it.
// clang-format off
#include "kernels/lanes_scalar.h"
#include "kernels/body_math.h"
#include "kernels/body_rows.h"
#include "kernels/body_pack.h"
#include "kernels/tile_scalar.h"
#include "kernels/body_attention.h"
#include "kernels/body_latent.h"
#include "kernels/body_widen.h"
#include "kernels/body_matmul.h"
// clang-format on
#include "kernels/tables.h"

namespace assay {
const Kernels& scalar_fma_kernels() {
  static constexpr Kernels kTable = make_table(Isa::scalar, "scalar");
  return kTable;
}
}  // namespace assay
