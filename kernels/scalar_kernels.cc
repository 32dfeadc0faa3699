// The kernels in plain C++ for any machine: std::fma's library call is exact everywhere, and slow where the
// machine has no fused multiply-add for it to use. avx2_scalar.cc holds the same lines compiled for machines
// that have one.
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
const Kernels& scalar_kernels() {
  static constexpr Kernels kTable = make_table(Isa::scalar, "scalar");
  return kTable;
}
}  // namespace assay
